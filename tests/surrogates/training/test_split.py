"""Nothing that is alike is both learnt from and judged by, and where a row goes depends on itself and the seed."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import ModelError
from surrogates.training.split import Labels, fold_of, split_rows

FORMULAS = st.lists(st.sampled_from([f"F{i}" for i in range(40)]), min_size=60, max_size=120)


def labels(formulas: list[str], elements: list[frozenset[str]] | None = None) -> Labels:
    structures = [f"{formula}-{i}" for i, formula in enumerate(formulas)]
    return Labels(formulas, structures, elements or [frozenset("O")] * len(formulas))


@pytest.mark.slow
@given(FORMULAS, st.integers(0, 5))
def test_every_row_is_in_one_part_and_no_formula_in_two(formulas: list[str], seed: int) -> None:
    split = split_rows(labels(formulas), seed)
    parts = [split.training.tolist(), split.validation.tolist(), split.held_out.tolist()]
    assert sorted(itertools.chain(*parts)) == list(range(len(formulas)))
    if split.by == "formula":
        seen = [{formulas[row] for row in part} for part in parts]
        assert not seen[0] & seen[1]
        assert not seen[0] & seen[2]
        assert not seen[1] & seen[2]


def test_a_tenth_is_held_out_of_a_large_table_and_a_quarter_of_a_small_one() -> None:
    large, small = (split_rows(labels([f"F{i}" for i in range(count)]), 0) for count in (1000, 40))
    assert (len(large.held_out), len(large.validation)) == (100, 100)
    assert (len(small.held_out), len(small.validation)) == (10, 10)


def test_the_order_of_the_rows_does_not_matter_and_the_seed_does() -> None:
    formulas = [f"F{i}" for i in range(50)]
    held = {formulas[row] for row in split_rows(labels(formulas), 0).held_out}
    backwards = formulas[::-1]
    assert {backwards[row] for row in split_rows(labels(backwards), 0).held_out} == held
    assert {formulas[row] for row in split_rows(labels(formulas), 1).held_out} != held


def test_polymorphs_of_one_compound_are_kept_apart_by_structure() -> None:
    split = split_rows(labels(["C"] * 40), 0)
    assert split.by == "structure"
    assert len(split.held_out) == 10


def test_an_element_that_would_never_be_learnt_from_goes_to_the_training_rows() -> None:
    formulas = [f"F{i}" for i in range(60)]
    strange = split_rows(labels(formulas), 0).held_out[0]
    elements = [frozenset({"O", "U"} if row == strange else "O") for row in range(60)]
    split = split_rows(labels(formulas, elements), 0)
    assert strange in split.training
    assert strange not in split.held_out


def test_rows_with_elements_of_their_own_do_not_keep_a_small_table_from_being_divided() -> None:
    # Every second row holds an element that no other has, so that most of a first choice has to be given back.
    elements = [frozenset({"O", f"E{row}"} if row % 2 else {"O"}) for row in range(40)]
    for seed in range(5):
        split = split_rows(labels([f"F{i}" for i in range(40)], elements), seed)
        assert min(len(split.held_out), len(split.validation)) >= 5
        assert not any(row % 2 for row in [*split.held_out, *split.validation])


def test_rows_that_all_have_elements_of_their_own_are_refused_with_the_reason() -> None:
    elements = [frozenset({"O", f"E{row}"}) for row in range(40)]
    with pytest.raises(ModelError, match="40 different structures in 40 rows, 40 of them with an element that fewer"):
        split_rows(labels([f"F{i}" for i in range(40)], elements), 0)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ModelError, match="got 5 rows with a structure and a value; training needs at least 12"):
        split_rows(labels(["A", "B", "C", "D", "E"]), 0)


def test_rows_of_one_structure_alone_are_refused() -> None:
    same = Labels(["C"] * 30, ["c"] * 30, [frozenset("C")] * 30)
    with pytest.raises(ModelError, match="got 1 different structures in 30 rows"):
        split_rows(same, 0)


def test_a_group_stays_in_its_fold_and_all_folds_are_used() -> None:
    folds = [fold_of(f"F{i}", 4, 0) for i in range(100)]
    assert {folds.count(fold) > 10 for fold in range(4)} == {True}
    assert folds == [fold_of(f"F{i}", 4, 0) for i in range(100)]
