from functools import cache

import numpy as np
import pytest

from campaigns.errors import ModelError
from surrogates.pools import frameworks as known
from surrogates.pools.pool import Pool, PoolEntry, Predictor
from surrogates.pools.prototypes import FAMILIES, substitute_all
from surrogates.predictors.electrodes import precursor_cost, precursors, supply_risk, theoretical_capacity


@cache
def pool() -> Pool:
    wanted = (known.LAYERED, known.SPINEL, known.OLIVINE, known.ORTHOSILICATE)
    return substitute_all(tuple(family for family in FAMILIES if family.framework in wanted))[0]


def of(predictor: Predictor, *ids: str) -> list[float]:
    values = dict(zip(pool().ids, predictor(pool()), strict=True))
    return [float(values[entry_id]) for entry_id in ids]


@pytest.mark.parametrize(
    ("entry_id", "capacity"),
    [
        ("LiFePO4-olivine", 169.9),
        ("LiCoO2-layered", 273.8),
        ("LiMn2O4-spinel", 148.2),
        ("Li2FeSiO4-orthosilicate", 165.6),
        ("Li3CoMnNiO6-layered", 277.8),
    ],
)
def test_capacities_are_those_of_the_textbooks(entry_id: str, capacity: float) -> None:
    assert of(theoretical_capacity, entry_id) == pytest.approx([capacity], abs=0.05)


def test_units_are_declared() -> None:
    assert (theoretical_capacity.unit, precursor_cost.unit, supply_risk.unit) == ("mAh/g", "USD/kg", "1")


@pytest.mark.slow
def test_every_value_is_finite_and_positive() -> None:
    for predictor in (theoretical_capacity, precursor_cost, supply_risk):
        values = predictor(pool())
        assert values.shape == (len(pool()),)
        assert np.all(np.isfinite(values) & (values > 0))
    assert supply_risk(pool()).max() < 1


def test_iron_and_manganese_are_cheap_and_cobalt_is_dear() -> None:
    iron, manganese, nickel, mixed, cobalt = of(
        precursor_cost,
        *("LiFePO4-olivine", "LiMn2O4-spinel", "LiNiO2-layered", "Li3CoMnNiO6-layered", "LiCoO2-layered"),
    )
    assert max(iron, manganese) < 0.5 * min(nickel, mixed)
    assert mixed < cobalt
    assert 2 < iron < 8
    assert 15 < cobalt < 40


def test_the_cost_is_the_sum_over_the_precursors() -> None:
    """LiFePO4 from half a Li2CO3 (73.89 g/mol), half a Fe2O3 (159.69) and a NH4H2PO4 (115.03), per 157.76 g."""
    prices = {element: precursors()[element].price for element in ("Li", "Fe", "P")}
    expected = (73.891 / 2 * prices["Li"] + 159.688 / 2 * prices["Fe"] + 115.026 * prices["P"]) / 157.757
    assert of(precursor_cost, "LiFePO4-olivine") == pytest.approx([expected], rel=1e-3)


def test_niobium_is_riskier_than_manganese() -> None:
    manganese, niobium = of(supply_risk, "LiMn2O4-spinel", "LiNb2O4-spinel")
    assert niobium > 2 * manganese


def test_every_price_has_a_source() -> None:
    assert all(precursor.source and precursor.price > 0 for precursor in precursors().values())


def test_a_pool_without_hosts_has_no_capacity() -> None:
    bare = Pool("bare", (PoolEntry("LiFePO4", pool()["LiFePO4-olivine"].structure),))
    with pytest.raises(ModelError, match="'LiFePO4' has no delithiated host"):
        theoretical_capacity(bare)


def test_an_element_without_a_price_is_named() -> None:
    golden = pool()["LiFePO4-olivine"].structure.copy().replace_species({"Fe": "Au"})
    with pytest.raises(ModelError, match=r"no price for Au; precursors\.csv has Li"):
        precursor_cost(Pool("gold", (PoolEntry("LiAuPO4", golden),)))
