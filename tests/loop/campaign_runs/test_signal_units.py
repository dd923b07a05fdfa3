"""Units that instruments state, from the recipe to the metric."""

from typing import Any

import pytest

from campaigns.errors import CampaignError
from campaigns.values import TrialState
from tests.loop.conftest import Bench

pytestmark = pytest.mark.slow

NAME = "tests.loop.ampere_hours"


def campaign(analysis: str) -> dict[str, Any]:
    step = {"name": "make", "stations": ["cell"], "recipe": {"x": "$x"}, "timeout": "20 h", "gives": ["output"]}
    return {
        "name": "units",
        "seed": 1,
        "space": {"parameters": {"x": {"kind": "float", "unit": "degC", "low": 100, "high": 900}}},
        "metrics": {"output": {"kind": "measured", "unit": "mAh/g"}},
        "objective": {"terms": [{"goal": "maximise", "metric": "output", "scale": "1 mAh/g"}]},
        "lab": {"kind": "virtual"},
        "stations": {"cell": {"kind": "device", "device": f"{NAME}:Cell"}},
        "workflow": [step | {"analysis": f"{NAME}:{analysis}"}],
        "budget": {"trials": 1},
    }


def test_a_reading_is_converted_to_the_unit_in_which_the_analysis_reads_it(bench: Bench) -> None:
    (trial,) = bench.run(campaign("good")).trials
    kelvin = float(trial.candidate.parameters["x"]) + 273.15
    assert trial.metrics["output"].value == pytest.approx(123.4567 + 1e-3 * kelvin)
    assert (trial.metrics["output"].sd, trial.metrics["output"].unit) == (0.01, "mAh/g")


def test_a_reading_that_is_called_by_another_unit_is_never_learnt_from(bench: Bench) -> None:
    (trial,) = bench.run(campaign("naive")).trials
    assert trial.state is TrialState.QUARANTINED
    assert "is the reading of out, in Ah/g by the instrument and in mAh/g by the analysis" in trial.reason


def test_a_reading_of_another_kind_is_refused_before_anything_moves(bench: Bench) -> None:
    with pytest.raises(CampaignError, match="out is in 'Ah/g' by the instrument, and the analysis reads V"):
        bench.run(campaign("bad"))
