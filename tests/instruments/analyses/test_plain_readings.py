"""Readings become metrics as they are, with the uncertainty that is stated, or that repeated readings show."""

import numpy as np
import pytest

from campaigns.values import MetricValue
from instruments.analyses.context import AnalysisContext
from instruments.analyses.plain_readings import metrics

CONTEXT = AnalysisContext(None, None, {"det": "1/s"})


def test_a_reading_has_the_unit_of_its_signal_and_the_stated_uncertainty() -> None:
    found = metrics({"det": 4.0, "other": 1.0}, CONTEXT, signals={"rate": "det"}, uncertainty={"rate": 0.1})
    assert found.metrics == {"rate": MetricValue(4.0, 0.1, "1/s")}


def test_several_readings_are_their_mean_with_its_standard_error() -> None:
    data = {"det": [1.0, 2.0, 3.0]}
    (found,) = metrics(data, CONTEXT, signals={"rate": "det"}, uncertainty={"rate": 0.5}).metrics.values()
    assert found.value == 2.0
    assert found.sd == pytest.approx(np.hypot(1 / np.sqrt(3), 0.5))


def test_readings_that_differ_by_rounding_state_no_uncertainty() -> None:
    data = {"det": [0.1 + 0.2, 0.3, 0.3]}
    assert metrics(data, CONTEXT, signals={"rate": "det"}).metrics["rate"].sd == 0.0


def test_an_uncertainty_that_nobody_states_is_none() -> None:
    assert metrics({"det": 4.0}, CONTEXT, signals={"rate": "det"}).metrics["rate"].sd == 0.0


def test_a_signal_that_is_not_read_is_named_with_those_that_are() -> None:
    told = "nothing reads dte, did you mean 'det', from which rate is to come; there are: det, x"
    with pytest.raises(KeyError, match=told):
        metrics({"det": 4.0, "x": 1.0}, CONTEXT, signals={"rate": "dte"})
