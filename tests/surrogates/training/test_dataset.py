"""Rows keep their values, whatever is done to their order, number and unit."""

import numpy as np
import pytest

from campaigns.errors import UnitError
from surrogates.training.dataset import Target, parse_target
from tests.trained import dataset, salts


def test_a_target_is_a_column_with_its_unit() -> None:
    assert parse_target("heat_all[eV/atom]") == Target("heat_all", "eV/atom")
    assert parse_target(" band gap [ eV ] ") == Target("band gap", "eV")
    assert parse_target("ratio[1]").unit == "1"
    assert parse_target("Gap [eV][meV]") == Target("Gap [eV]", "meV")


@pytest.mark.parametrize("text", ["heat_all", "[eV]", "heat[]", "heat[eV", "heat[eV]x"])
def test_a_target_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="a column with its unit"):
        parse_target(text)


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(UnitError, match="unknown unit 'eW/atom'"):
        parse_target("heat[eW/atom]")


def test_rows_have_formula_and_elements() -> None:
    labels = dataset(salts(3), np.arange(3)).labels
    assert labels.formulas[0] == salts(1)[0].composition.reduced_formula
    assert labels.elements[0] == {"Li", "O"}


def test_thinning_takes_rows_from_everywhere() -> None:
    data = dataset(salts(40), np.arange(40))
    assert data.thinned(None) is data
    assert data.thinned(100) is data
    thin = data.thinned(5)
    assert (thin.values[0], thin.values[-1], len(thin.ids)) == (0, 39, 5)


def test_values_are_given_in_another_unit() -> None:
    data = dataset(salts(2), np.array([1.0, -2.0]))
    assert data.in_unit("meV/atom").values == pytest.approx([1000, -2000])
    with pytest.raises(UnitError):
        data.in_unit("mAh/g")


def test_the_order_in_which_rows_came_can_be_forgotten() -> None:
    data = dataset(salts(10), np.arange(10))
    again = data.only(list(range(10))[::-1])
    assert data.in_order().ids == again.in_order().ids
