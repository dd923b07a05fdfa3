import pytest
from pymatgen.core import Element

from loop.report.element_style import ELEMENTS


def test_every_element_stands_where_it_belongs() -> None:
    for symbol, element in ELEMENTS.items():
        known = Element(symbol)
        row, column = element.cell
        assert element.number == known.Z
        if not (57 <= known.Z <= 71 or 89 <= known.Z <= 103):
            assert (row, column) == (known.row, known.group)
    assert len({element.cell for element in ELEMENTS.values()}) == len(ELEMENTS) == 103


def test_the_f_block_stands_below_in_two_rows_of_fifteen() -> None:
    rows = [[s for s, e in ELEMENTS.items() if e.cell[0] == row] for row in (8.4, 9.4)]
    assert [(row[0], row[-1], len(row)) for row in rows] == [("La", "Lu", 15), ("Ac", "Lr", 15)]


def test_radii_and_colours_are_those_of_the_sources() -> None:
    radii = {"H": 0.31, "O": 0.66, "Fe": 1.32, "Cs": 2.44, "U": 1.96}  # Cordero et al. 2008, table 2
    assert {symbol: ELEMENTS[symbol].radius for symbol in radii} == pytest.approx(radii)
    assert ELEMENTS["O"].colour == "#ff0d0d"
    assert all(0.2 < element.radius < 2.7 for element in ELEMENTS.values())
