import numpy as np
import pytest

from campaigns.errors import LabError
from campaigns.values import Scalar
from simulators.diffraction_pattern import FloatArray, diffract
from simulators.materials import nickel_rich
from simulators.synthesis import Sample
from tests.crystals import lithium_cobalt_oxide

PURE = Sample("x", {"target": 1.0}, 100.0, 0.0)


def scan(sample: Sample = PURE, seed: int = 0, **recipe: Scalar) -> tuple[FloatArray, FloatArray]:
    return diffract(lithium_cobalt_oxide(), sample, recipe, np.random.default_rng(seed))


def test_the_strongest_line_of_cobalt_oxide_lies_where_it_is_known_to() -> None:
    two_theta, counts = scan()

    assert two_theta[counts.argmax()] == pytest.approx(18.95, abs=0.1)


def test_counts_are_whole_numbers_that_grow_with_time() -> None:
    _, short = scan(count_time=1)
    _, long = scan(count_time=10)

    assert np.array_equal(short, np.rint(short))
    assert long.sum() == pytest.approx(10 * short.sum(), rel=0.02)


def test_small_crystals_broaden_lines_without_changing_their_area() -> None:
    _, coarse = scan(Sample("x", {"target": 1.0}, 300.0, 0.0))
    _, fine = scan(Sample("x", {"target": 1.0}, 15.0, 0.0))

    assert fine.max() < 0.5 * coarse.max()
    assert fine.sum() == pytest.approx(coarse.sum(), rel=0.03)


def test_an_impurity_shows_its_own_lines() -> None:
    two_theta, counts = scan(Sample("x", {"target": 0.7, "Co3O4": 0.3}, 100.0, 0.0))
    _, pure = scan()
    window = (two_theta > 31.0) & (two_theta < 31.6)  # (220) of Co3O4

    assert counts[window].max() > pure[window].max() + 10 * np.sqrt(pure[window].max())


def test_phase_order_does_not_matter() -> None:
    a = scan(Sample("x", {"target": 0.7, "Co3O4": 0.3}, 100.0, 0.0))[1]
    b = scan(Sample("x", {"Co3O4": 0.3, "target": 0.7}, 100.0, 0.0))[1]

    assert np.array_equal(a, b)


def test_the_detector_is_never_faster_than_its_dead_time() -> None:
    sample = Sample(None, {"target": 1.0}, 2000.0, 0.0)
    _, counts = diffract(nickel_rich(), sample, {}, np.random.default_rng(0))

    assert counts.max() < 1 / 2e-6


def test_an_unknown_phase_is_named() -> None:
    with pytest.raises(LabError, match="no reference phase 'unobtainium'"):
        scan(Sample("x", {"target": 0.5, "unobtainium": 0.5}, 100.0, 0.0))


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), "long"])
def test_a_time_that_cannot_be_counted_is_refused(seconds: Scalar) -> None:
    with pytest.raises(LabError, match="count_time is"):
        scan(count_time=seconds)
