import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import CampaignError
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate
from loop.sampling.candidates import near, sobol
from loop.sampling.rounding import tidy
from loop.sampling.space_filling import k_centres

SPACE = SpaceConfig.model_validate(
    {
        "parameters": {
            "temperature": {"kind": "float", "unit": "degC", "low": 500, "high": 1000},
            "time": {"kind": "float", "unit": "h", "low": 0.5, "high": 48, "scale": "log"},
            "turns": {"kind": "integer", "low": 0, "high": 9},
            "ramp": {"kind": "ordinal", "unit": "degC/min", "levels": [1, 2, 50]},
            "gas": {"kind": "categorical", "levels": ["air", "argon"]},
        },
        "constraints": ["temperature + 20 * time <= 1200"],
    }
)
FINITE = SpaceConfig.model_validate({"parameters": {"gas": {"kind": "categorical", "levels": ["a", "b", "c"]}}})


@pytest.mark.slow
@given(seed=st.integers(0, 2**31), count=st.integers(1, 40))
def test_sobol_points_are_different_and_lie_in_the_space(seed: int, count: int) -> None:
    points = sobol(SPACE, count, seed)
    assert len(points) == count
    assert all(SPACE.allows(p) for p in points)
    assert len({tuple(p.values()) for p in points}) == count


def test_a_longer_list_begins_with_the_shorter_one() -> None:
    assert sobol(SPACE, 50, 3)[:7] == sobol(SPACE, 7, 3)


def test_a_finite_space_gives_what_it_has() -> None:
    assert {p["gas"] for p in sobol(FINITE, 100, 1)} == {"a", "b", "c"}


def test_a_space_that_the_constraints_empty_is_an_error() -> None:
    with pytest.raises(CampaignError, match="no point was found that keeps all constraints; loosen one"):
        sobol(SPACE.model_copy(update={"constraints": ("temperature >= 1000.0001",)}), 4, 1)


@pytest.mark.slow
@given(seed=st.integers(0, 2**31))
def test_neighbours_lie_in_the_space_and_near(seed: int) -> None:
    centre = Candidate(sobol(SPACE, 1, seed)[0], "m")
    found = near(SPACE, centre, 30, np.random.default_rng(seed))
    assert all(SPACE.allows(c.parameters) and c.material == "m" for c in found)
    moves = [abs(float(c.parameters["temperature"]) - float(centre.parameters["temperature"])) for c in found]
    assert np.median(moves) < 60


@given(fraction=st.floats(0, 1))
def test_tidy_keeps_the_value_within_a_thousandth(fraction: float) -> None:
    parameter = SPACE.parameters["temperature"]
    value = parameter.at(fraction)
    assert parameter.contains(tidy(parameter, value))
    assert abs(float(tidy(parameter, value)) - float(value)) <= 0.5
    log = SPACE.parameters["time"]
    assert float(tidy(log, log.at(fraction))) == pytest.approx(float(log.at(fraction)), rel=1e-3)


def test_spread_covers_better_than_chance_and_repeats_nothing() -> None:
    points = np.random.default_rng(0).normal(size=(300, 5))

    def reach(rows: np.ndarray) -> float:
        return float(np.linalg.norm(points[:, None] - points[rows][None], axis=2).min(axis=1).max())

    chosen = np.array(k_centres(points, 12, seed=1))
    assert len(set(chosen)) == 12
    by_chance = [reach(np.random.default_rng(s).choice(300, 12, replace=False)) for s in range(50)]
    assert reach(chosen) < np.quantile(by_chance, 0.1)
    assert len(k_centres(points, 1000, seed=1)) == 300
