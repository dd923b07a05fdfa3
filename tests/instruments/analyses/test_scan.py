import re

import numpy as np
import pytest

from campaigns.errors import StepError
from instruments.analyses.scan import FloatArray, Refusal, Scan, read_scan

GRID = np.arange(10, 80.001, 0.02)


def counts(seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    peaks = sum(a * np.exp(-0.5 * ((GRID - c) / 0.08) ** 2) for a, c in ((3000, 30.1), (1500, 45.3), (800, 62.7)))
    return rng.poisson(200 + peaks).astype(float)


def read(**data: object) -> Scan:
    """Return what is read without a refusal."""
    scan = read_scan(data)
    assert isinstance(scan, Scan)
    return scan


def refused(**data: object) -> str:
    """Return why nothing is read."""
    refusal = read_scan(data)
    assert isinstance(refusal, Refusal)
    return refusal.reason


@pytest.mark.parametrize("digits", [2, 3, 4])
def test_angles_with_few_digits_are_read(digits: int) -> None:
    grid = np.round(10 + 0.0231303 * np.arange(3000), digits)
    assert np.array_equal(read(two_theta=grid, counts=np.interp(grid, GRID, counts())).two_theta, grid)


def test_steps_that_are_uneven_on_purpose_are_read() -> None:
    grid = np.concatenate([np.arange(10, 40, 0.02), np.arange(40, 80, 0.04)])
    scan = read(two_theta=grid, counts=np.interp(grid, GRID, counts()))
    assert np.array_equal(scan.two_theta, grid)


def test_a_scan_that_falls_is_turned_round() -> None:
    falling = read(two_theta=GRID[::-1], counts=counts()[::-1])
    assert np.array_equal(falling.two_theta, GRID)
    assert np.array_equal(falling.counts, read(two_theta=GRID, counts=counts()).counts)


@pytest.mark.parametrize("unit", [1 / 3050, 100 / 3050, 7.3, 1e-12])
def test_intensities_in_any_unit_scatter_like_counts(unit: float) -> None:
    scan = read(two_theta=GRID, counts=counts() * unit)
    assert scan.counts == pytest.approx(counts(), rel=0.2)


def test_counts_stay_as_they_are() -> None:
    assert np.array_equal(read(two_theta=GRID, counts=counts()).counts, counts())


def swapped() -> FloatArray:
    grid = GRID.copy()
    grid[[100, 101]] = grid[[101, 100]]
    return grid


@pytest.mark.parametrize(
    ("grid", "reason"),
    [
        (np.random.default_rng(0).permutation(GRID), "angles out of order"),
        (swapped(), r"angles out of order: 1 of 3500 steps turn back .* from 12.02 to 12 deg"),
        (np.repeat(GRID[: len(GRID) // 2 + 1], 2)[: len(GRID)], "angles out of order"),
        (np.radians(GRID), "are these radians"),
        (np.where(np.arange(len(GRID)) == 3, np.nan, GRID), "not finite: 1 of 3501 angles"),
        (np.linspace(-5, 70, len(GRID)), "between 0 and 180"),
    ],
)
def test_angles_that_cannot_be_used_are_refused_with_the_reason(grid: FloatArray, reason: str) -> None:
    assert re.search(reason, refused(two_theta=grid, counts=counts()))


def test_too_coarse_a_scan_is_refused() -> None:
    grid = np.linspace(5, 165, 400)
    assert "steps of 0.4" in refused(two_theta=grid, counts=np.interp(grid, GRID, counts()))


@pytest.mark.parametrize("axis", ["q", "Q", "d", "d_spacing"])
def test_another_axis_is_refused_with_the_reason(axis: str) -> None:
    with pytest.raises(StepError, match=f"the event has '{axis}' and no 'two_theta'"):
        read(**{axis: GRID, "counts": counts()})
