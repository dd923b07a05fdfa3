"""Every kind of space: what is drawn lies in it, and so does what is near."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.errors import CampaignError
from campaigns.relative_paths import PARENT
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate
from loop.sampling.candidates import near, sobol, unseen
from loop.sampling.space_filling import farthest_first
from tests.strategies import rich_spaces

Values = dict[str, Any]


@pytest.mark.slow
@settings(max_examples=60)
@given(data=rich_spaces, seed=st.integers(0, 2**31))
def test_points_lie_in_the_space_are_different_and_the_longer_list_begins_with_the_shorter(
    data: Values, seed: int
) -> None:
    space = SpaceConfig.model_validate(data)
    points = sobol(space, 12, seed)
    assert points
    assert all(space.allows(point) for point in points)
    assert len({tuple(point.items()) for point in points}) == len(points)
    assert sobol(space, 5, seed) == points[:5]


@pytest.mark.slow
@settings(max_examples=60)
@given(data=rich_spaces, seed=st.integers(0, 2**31))
def test_what_is_near_lies_in_the_space_too(data: Values, seed: int) -> None:
    space = SpaceConfig.model_validate(data)
    centre = Candidate(sobol(space, 1, seed)[0], "m")
    found = near(space, centre, 10, np.random.default_rng(seed))
    assert all(space.allows(c.parameters) and c.material == "m" for c in found)
    if len(sobol(space, 24, seed)) == 24:  # of a few points, all moves may lead back
        assert len({c.key() for c in found} - {centre.key()}) > 0


@pytest.mark.slow
@settings(max_examples=60)
@given(data=rich_spaces, seed=st.integers(0, 2**31))
def test_totals_and_equalities_are_exact(data: Values, seed: int) -> None:
    space = SpaceConfig.model_validate(data)
    for point in sobol(space, 12, seed):
        for mixture in space.mixtures.values():
            assert sum(float(point[name]) for name in mixture.components) == pytest.approx(mixture.total, abs=1e-9)
        for rule in space.linear_constraints:
            if rule.equal:
                size = sum(abs(c * float(point[n])) for n, c in rule.coefficients.items())
                assert abs(rule.slack(point)) <= 1e-9 * max(size, 1.0)


def number(low: float = 0.0, high: float = 1.0) -> Values:
    return {"kind": "float", "unit": "1", "low": low, "high": high}


def test_a_mixture_is_covered_evenly_and_better_than_by_chance() -> None:
    space = SpaceConfig.model_validate({"mixtures": {"m": {"components": {"a": {}, "b": {}, "c": {}}}}})
    points = np.array([list(p.values()) for p in sobol(space, 256, 1)])
    assert np.abs(points.mean(axis=0) - 1 / 3).max() < 0.006  # by chance, a standard error is 0.015
    assert np.mean((points > 0.5).any(axis=1)) == pytest.approx(0.75, abs=0.03)  # three of the four small triangles


def test_every_choice_of_components_comes_up() -> None:
    mixture = {"components": {name: {"low": 0.2} for name in "abcd"}, "at_most": 2}
    space = SpaceConfig.model_validate({"mixtures": {"m": mixture}})
    there = [frozenset(name for name, share in p.items() if share) for p in sobol(space, 200, 1)]
    assert len(set(there)) == 4 + 6


def test_little_that_linear_constraints_leave_is_covered_evenly() -> None:
    names = "abcdefgh"
    space = SpaceConfig.model_validate(
        {"parameters": {name: number() for name in names}, "constraints": [f"{' + '.join(names)} <= 0.5"]}
    )
    points = np.array([list(p.values()) for p in sobol(space, 512, 1)])
    assert points.mean(axis=0) == pytest.approx(np.full(8, 0.5 / 9), rel=0.15)


def test_points_are_put_into_an_order_in_which_the_first_keep_apart() -> None:
    points = np.random.default_rng(0).uniform(size=(400, 2))

    def apart(rows: np.ndarray) -> float:
        away = np.linalg.norm(points[rows][:, None] - points[rows][None], axis=2)
        return float(np.sort(away, axis=1)[:, 1].mean())

    order = farthest_first(points, np.random.default_rng(1))
    assert sorted(order) == list(range(400))
    by_chance = [apart(np.random.default_rng(s).choice(400, 24, replace=False)) for s in range(50)]
    assert apart(order[:24]) > np.quantile(by_chance, 0.95)


def test_coupled_mixtures_are_walked_through() -> None:
    mixture = {"components": {name: {} for name in "xyzw"}, "at_most": 3}
    space = SpaceConfig.model_validate(
        {
            "parameters": {"t": number(0, 10)},
            "mixtures": {"m": mixture},
            "constraints": ["x == 2 * y", "t + 10 * z == 8"],
        }
    )
    points = sobol(space, 40, 1)
    assert len(points) == 40
    assert all(space.allows(p) for p in points)
    assert len({frozenset(n for n in "xyzw" if p[n]) for p in points}) >= 4


def test_whole_numbers_keep_equalities() -> None:
    whole = {"kind": "integer", "low": 0, "high": 10}
    space = SpaceConfig.model_validate({"parameters": {"n": whole, "m": whole}, "constraints": ["n + m == 10"]})
    assert {p["n"] for p in sobol(space, 20, 1)} == set(range(11))


@pytest.mark.slow
def test_nonlinear_constraints_that_nothing_keeps_are_an_error_with_what_to_do() -> None:
    space = SpaceConfig.model_validate(
        {"parameters": {"a": number(), "b": number()}, "constraints": ["exp(a) <= b - a"]}
    )
    with pytest.raises(CampaignError, match=r"keeps all constraints; loosen one of them: exp\(a\) <= b - a"):
        sobol(space, 4, 1)
    broken = SpaceConfig.model_validate({"parameters": {"a": number()}, "constraints": ["log(a - 2) <= 1"]})
    with pytest.raises(CampaignError, match="loosen"):  # no finite value anywhere
        sobol(broken, 4, 1)


def test_the_nearest_rows_are_near_and_seen_ones_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,g\n" + "\n".join(f"{i / 10},{'xy'[i % 2]}" for i in range(11)))
    gas = {"kind": "categorical", "levels": ["x", "y"]}
    data = {"parameters": {"a": number(), "g": gas}, "rows": {"file": "rows.csv"}}
    space = SpaceConfig.model_validate(data, context={PARENT: tmp_path})
    found = near(space, Candidate({"a": 0.4, "g": "x"}), 4, np.random.default_rng(0))
    assert sorted(c.parameters["a"] for c in found) == [0.0, 0.2, 0.6, 0.8]
    left = unseen(space, frozenset(c.key() for c in found))
    assert len(left) == 7
    assert not {c.key() for c in found} & {Candidate(row).key() for row in left}
