"""A planner and a laboratory that answers at once, for tests of what the planner makes of strange answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from campaigns.campaign import Campaign
from campaigns.values import Candidate, Cause, MetricValue, Scalar, TrialState
from loop.core.proposals import Proposal
from loop.core.records import TrialRecord
from loop.planning.planner import Planner
from surrogates.models.encoder import Encoder

Answer = float | str
"""The value of the metric, or why the trial failed."""


def campaign(dimensions: int, **changes: Any) -> Campaign:
    """Return a campaign that maximises one metric over a unit box."""
    names = [f"x{i}" for i in range(dimensions)]
    step = {"name": "look", "stations": ["eye"], "analysis": "tests.planned:campaign", "gives": ["merit"]}
    data: dict[str, Any] = {
        "name": "planned",
        "seed": 1,
        "space": {"parameters": {n: {"kind": "float", "unit": "1", "low": 0, "high": 1} for n in names}},
        "metrics": {"merit": {"kind": "measured", "unit": "1"}},
        "objective": {"terms": [{"goal": "maximise", "metric": "merit", "scale": 1.0}], "find": {"kind": "best"}},
        "planner": {"initial": 8},
        "lab": {"kind": "virtual"},
        "stations": {"eye": {"kind": "furnace"}},
        "workflow": [{**step, "recipe": {n: f"${n}" for n in names}, "timeout": "1 h"}],
        "budget": {"trials": 100},
    }
    return Campaign.model_validate(data | changes)


@dataclass
class Lab:
    """One trial after the other: what is proposed is measured, and told to the planner.

    Attributes:
        answer: from parameters and the trial's number to the metric's value, or to why the trial failed.
        sd: uncertainty that each measurement states.
        cause: what its failures speak of.
    """

    campaign: Campaign
    answer: Callable[[Mapping[str, Scalar], int], Answer]
    sd: float = 0.0
    cause: Cause = Cause.SAMPLE
    trials: list[TrialRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.planner = Planner(self.campaign, Encoder(self.campaign.space))

    def run(self, count: int) -> list[TrialRecord]:
        """Return all trials after so many more."""
        for _ in range(count):
            number, candidate, proposal = self.planner.suggest()
            self.trials.append(self._ended(number, candidate, proposal))
            self.planner.ingest(self.trials[-1])
        return self.trials

    def _ended(self, number: int, candidate: Candidate, proposal: Proposal) -> TrialRecord:
        found = self.answer(candidate.parameters, number)
        order = sum(t.state is TrialState.COMPLETED for t in self.trials)
        fields: dict[str, Any] = {
            "number": number, "candidate": candidate, "state": TrialState.COMPLETED, "reason": "",
            "proposal": proposal, "metrics": {}, "flags": (), "score": None, "score_sd": None, "feasible": None,
            "completed_order": None, "created": 0.0, "ended": 1.0, "steps": (),
        }  # fmt: skip
        if isinstance(found, str):
            return TrialRecord(**(fields | {"state": TrialState.FAILED, "reason": found, "cause": self.cause}))
        metrics = {"merit": MetricValue(found, self.sd, "1")}
        score = {"score": found, "score_sd": self.sd, "feasible": True, "completed_order": order}
        return TrialRecord(**(fields | score | {"metrics": metrics}))


def hill(parameters: Mapping[str, Scalar], _number: int) -> float:
    """Return the height of a smooth hill whose top is at 0.3 in each number."""
    return 1.0 - sum((float(value) - 0.3) ** 2 for value in parameters.values() if isinstance(value, float))


def nodes(trials: list[TrialRecord]) -> list[str]:
    """Return the generator and the node of each proposal."""
    return [f"{t.proposal.generator}: {t.proposal.node}" for t in trials]
