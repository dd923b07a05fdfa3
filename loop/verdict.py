"""The verdict on a trial that has gone through all steps."""

from __future__ import annotations

from collections.abc import Mapping

from campaigns.fidelity import FULL
from campaigns.objective import Objective
from campaigns.values import MetricValue, TrialState
from loop.records import TrialRecord, Verdict


def verdict(objective: Objective, trial: TrialRecord, computed: Mapping[str, float]) -> Verdict:
    """Return the score of a trial, with all metrics that it comes from; at a lower fidelity it has none.

    Args:
        objective: of the campaign.
        trial: has every measured metric.
        computed: the metrics of its material that need no experiment.
    """
    if trial.fidelity != FULL:
        return Verdict(TrialState.COMPLETED)
    units = objective.units
    values = objective.complete({**trial.values, **computed})
    sds = objective.sds(values, {n: m.sd for n, m in trial.metrics.items()})
    return Verdict(
        TrialState.COMPLETED,
        metrics={n: MetricValue(v, sds[n], units[n]) for n, v in values.items()},
        score=float(objective.score(values)),
        score_sd=objective.score_sd(values, sds),
        feasible=objective.feasible(values),
    )
