from tests.loop.faults.matrix import FAULTS, KINDS, PAGE, Outcome, reliability_page


def test_every_fault_has_a_cell_for_every_kind_of_station() -> None:
    for fault in FAULTS:
        assert set(fault.cells) == {kind.name for kind in KINDS}, fault.name


def test_what_a_fault_costs_has_a_reason() -> None:
    found = [(fault.name, kind, cell) for fault in FAULTS for kind, cell in fault.cells.items()]
    costly = {
        (fault, kind) for fault, kind, cell in found if isinstance(cell, Outcome) and cell.cause and not cell.reason
    }
    assert not costly


def test_the_page_is_that_of_the_matrix() -> None:
    assert PAGE.read_text(encoding="utf-8") == reliability_page(), "run: python -m tests.loop.faults.matrix"
