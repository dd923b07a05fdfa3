"""How a trial ends: by its score once it has gone through all steps, or by what speaks against one of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from campaigns.campaign import Campaign
from campaigns.fidelity import FULL
from campaigns.objective import Objective
from campaigns.values import LARGEST, Cause, MetricValue, TrialState
from loop.core.records import Analysed, TrialRecord, TrialResult


def ending_of_step(campaign: Campaign, trial: TrialRecord, step: str, analysed: Analysed) -> TrialResult | None:
    """Return how a trial ends with a step whose data cannot be trusted, or do not give all that its score needs.

    None is returned where nothing speaks against the trial. A metric without a value that neither the score nor
    a constraint asks for costs no more than itself.
    """
    if analysed.flags:
        reason = f"{step}: {'; '.join(analysed.flags)}"
        return TrialResult(
            TrialState.QUARANTINED, reason, flags=analysed.flags, cause=analysed.cause, fault=analysed.fault
        )
    vital = {trial.metric_key(name) for name in campaign.needed}
    lacking = {name: given for name, given in analysed.missing.items() if name in vital}
    if not lacking:
        return None
    texts = (f"{name} has no value for this sample: the analysis gave {given}" for name, given in lacking.items())
    return TrialResult(TrialState.FAILED, f"{step}: {'; '.join(texts)}", cause=Cause.SAMPLE, missing=tuple(lacking))


def ending_of_trial(campaign: Campaign, trial: TrialRecord, computed: Mapping[str, float]) -> TrialResult | None:
    """Return how a trial ends that has gone through all steps of its fidelity; None while one is to come.

    Args:
        campaign: its current version.
        trial: with what was measured.
        computed: the metrics of its material that need no experiment.
    """
    workflow, done = campaign.workflow_of(trial.fidelity), {record.name for record in trial.done}
    if not workflow or any(step.name not in done for step in workflow):
        return None
    given = {trial.metric_key(name) for step in workflow for name in step.gives}
    ending = score_trial(campaign.build_objective(), trial, computed)
    if ending.reason:
        return TrialResult(TrialState.QUARANTINED, ending.reason, flags=(ending.reason,), cause=Cause.DATA)
    return replace(ending, missing=tuple(sorted(given - trial.metrics.keys())))


def score_trial(objective: Objective, trial: TrialRecord, computed: Mapping[str, float]) -> TrialResult:
    """Return the score of a trial, with all metrics that it comes from.

    It has none at a lower fidelity, or where a metric that the score needs was not measured, as of an imported row.

    Args:
        objective: of the campaign.
        trial: with what was measured.
        computed: the metrics of its material that need no experiment.
    """
    if trial.fidelity != FULL:
        return TrialResult(TrialState.COMPLETED)
    units = objective.units
    values = objective.complete({**trial.values, **computed})
    sds = objective.sds(values, {n: m.sd for n, m in trial.metrics.items()})
    if not objective.needed <= values.keys():
        return TrialResult(
            TrialState.COMPLETED, metrics={n: MetricValue(v, sds[n], units[n]) for n, v in values.items()}
        )
    score, score_sd = float(objective.score(values)), objective.score_sd(values, sds)
    if not abs(score) <= LARGEST or not score_sd <= LARGEST:
        return TrialResult(TrialState.COMPLETED, f"its score, {score:g} ± {score_sd:g}, is no number to reckon with")
    return TrialResult(
        TrialState.COMPLETED,
        metrics={n: MetricValue(v, sds[n], units[n]) for n, v in values.items()},
        score=score,
        score_sd=score_sd,
        feasible=objective.feasible(values),
    )
