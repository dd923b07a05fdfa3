import numpy as np
import pytest

from benchmarks.statistics import median_ratio, quartiles


def test_quartiles_of_a_known_sample() -> None:
    q = quartiles([5.0, 1.0, 4.0, 2.0, 3.0])
    assert (q.lower, q.median, q.upper) == (2.0, 3.0, 4.0)


def test_the_ratio_of_medians_lies_in_its_interval_and_is_the_same_every_time() -> None:
    above, below = [50.0, 90.0, 110.0, 200.0, 70.0], [8.0, 10.0, 14.0, 9.0, 20.0]
    ratio = median_ratio(above, below)
    assert ratio.value == 9.0
    assert ratio.low < ratio.value < ratio.high
    assert median_ratio(above, below) == ratio


@pytest.mark.slow
def test_the_interval_covers_the_true_ratio_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    samples = [generator.geometric(0.02, (2, 20)) for _ in range(100)]
    hits = sum((r := median_ratio(a, b)).low <= 1.0 <= r.high for a, b in samples)
    assert hits / 100 == pytest.approx(0.9, abs=0.09)
