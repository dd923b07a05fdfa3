"""Every kind of space: what is drawn lies in it, and so does what is near."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.space import SpaceConfig
from campaigns.values import Candidate
from loop.sampling import near, sobol
from tests.strategies import rich_spaces

Values = dict[str, Any]


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


@settings(max_examples=60)
@given(data=rich_spaces, seed=st.integers(0, 2**31))
def test_what_is_near_lies_in_the_space_too(data: Values, seed: int) -> None:
    space = SpaceConfig.model_validate(data)
    centre = Candidate(sobol(space, 1, seed)[0], "m")
    found = near(space, centre, 10, np.random.default_rng(seed))
    assert found
    assert all(space.allows(c.parameters) and c.material == "m" for c in found)
    assert len({c.key() for c in found} - {centre.key()}) > 0


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
