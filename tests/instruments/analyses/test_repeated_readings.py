import math

import numpy as np
import pytest

from instruments.analyses.context import AnalysisContext
from instruments.analyses.repeated_readings import means

CONTEXT = AnalysisContext(units={"gap": "eV"})


def test_mean_and_standard_error_of_the_readings_in_the_signals_unit() -> None:
    found = means({"gap": [1.0, 2.0, 3.0, 4.0], "time": 3.0, "gas": "air"}, CONTEXT)
    assert list(found.metrics) == ["gap"]
    gap = found.metrics["gap"]
    assert (gap.value, gap.unit) == (2.5, "eV")
    assert gap.sd == pytest.approx(math.sqrt(5 / 3) / 2)


def test_no_repetition_makes_the_calibration_better() -> None:
    many = means({"gap": 2.0 + 0.001 * np.tile([1.0, -1.0], 500)}, CONTEXT, calibration=0.01)
    assert many.metrics["gap"].sd == pytest.approx(0.02, rel=0.01)


@pytest.mark.parametrize(
    ("readings", "words"),
    [
        ([1.0, math.nan, 2.0], "not finite: 1 of 3 readings of gap"),
        ([0.0, 0.0, 0.0], "dead detector: all 3 readings of gap are 0"),
        ([1.0, 2.0], "too few readings of gap: 2, needs 3"),
    ],
)
def test_readings_that_cannot_be_trusted_are_flagged(readings: list[float], words: str) -> None:
    assert means({"gap": readings}, CONTEXT).flags == (words,)
