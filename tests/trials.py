"""Trial records for tests, made without a store."""

from __future__ import annotations

from typing import Any

from campaigns.campaign import Campaign
from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.proposals import Proposal
from loop.core.records import StepRecord, TrialRecord

MODELS = {
    "capacity": {
        "kind": "gp",
        "observations": 4,
        "hyper_parameters": {
            "length.0": 0.5,
            "length.3": 3.0,
            "process": 0.7,
            "low.1": 0.4,
            "high.1": 1.2,
            "noise": 0.01,
        },
    }
}


def campaign(**changes: Any) -> Campaign:
    """Return a campaign of two terms, a bound, and every kind of parameter that a figure treats differently."""
    data: dict[str, Any] = {
        "name": "made_up",
        "seed": 1,
        "space": {
            "parameters": {
                "temperature": {"kind": "float", "unit": "degC", "low": 500, "high": 900},
                "time": {"kind": "float", "unit": "h", "low": 1, "high": 100, "scale": "log"},
                "atmosphere": {"kind": "categorical", "levels": ["air", "<argon>"]},
            }
        },
        "metrics": {
            "capacity": {"kind": "measured", "unit": "mAh/g"},
            "mean_voltage": {"kind": "measured", "unit": "V"},
        },
        "objective": {
            "terms": [
                {"goal": "maximise", "metric": "capacity", "weight": 3, "scale": "10 mAh/g"},
                {"goal": "target", "metric": "mean_voltage", "low": 3.0, "high": 4.0, "scale": "100 mV"},
            ],
            "constraints": [{"metric": "capacity", "at_least": 50}],
        },
        "lab": {"kind": "virtual"},
        "stations": {"furnace_1": {"kind": "furnace"}, "cycler": {"kind": "cycler"}},
        "workflow": [
            {
                "name": "make",
                "stations": ["furnace_1"],
                "recipe": {"temperature": "$temperature", "time": "$time", "atmosphere": "$atmosphere"},
                "timeout": "10 h",
            },
            {
                "name": "cycle",
                "stations": ["cycler"],
                "recipe": {},
                "analysis": "campaigns.values:Candidate",
                "gives": ["capacity", "mean_voltage"],
                "timeout": "10 h",
            },
        ],
        "budget": {"trials": 20},
    }
    return Campaign.model_validate(data | changes)


def completed(number: int, capacity: float, voltage: float = 3.5, **changes: Any) -> TrialRecord:
    """Return a measured trial with the score and the verdict that the objective of ``campaign`` gives."""
    metrics = {"capacity": MetricValue(capacity, 2.0, "mAh/g"), "mean_voltage": MetricValue(voltage, 0.01, "V")}
    objective = campaign().build_objective()
    values = {name: metric.value for name, metric in metrics.items()}
    sds = {name: metric.sd for name, metric in metrics.items()}
    found: dict[str, Any] = {
        "state": TrialState.COMPLETED,
        "metrics": metrics,
        "score": float(objective.score(values)),
        "score_sd": objective.score_sd(values, sds),
        "feasible": objective.feasible(values),
        "completed_order": number,
        "steps": (attempt(number, "make", "furnace_1"), attempt(number, "cycle", "cycler")),
    }
    return trial(number, **(found | changes))


def trial(number: int, state: TrialState, **changes: Any) -> TrialRecord:
    """Return a trial without a measurement."""
    found: dict[str, Any] = {
        "candidate": Candidate({"temperature": 600.0 + number, "time": 1.0 + number, "atmosphere": "air"}, None),
        "reason": "",
        "proposal": Proposal("space-filling"),
        "metrics": {},
        "flags": (),
        "score": None,
        "score_sd": None,
        "feasible": None,
        "completed_order": None,
        "created": 1.7e9,
        "ended": 1.7e9 + 1 if state.ended else None,
        "steps": (),
    }
    return TrialRecord(number=number, state=state, **(found | changes))


def attempt(number: int, name: str, station: str, **changes: Any) -> StepRecord:
    """Return one attempt of an hour at a step."""
    found: dict[str, Any] = {
        "attempt": 1,
        "token": f"{number}-{name}",
        "state": TrialState.ACQUIRED,
        "started": number * 3600.0,
        "ended": (number + 1) * 3600.0,
        "run_uid": None,
        "reason": "",
        "cost": 10.0,
    }
    return StepRecord(name=name, station=station, **(found | changes))


def predicted(capacity: float, sd: float) -> Proposal:
    """Return a model's proposal that predicted a capacity and a score."""
    predictions = {"capacity": MetricValue(capacity, sd, "mAh/g")}
    return Proposal("model", predictions=predictions, score=(capacity / 10, sd / 10), models=MODELS)
