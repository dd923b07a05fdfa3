"""Which decision about a trial is allowed in which state, and what a result that is entered by hand has to give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from campaigns.campaign import Campaign
from campaigns.decisions import (
    AnswerStep,
    AttachTrial,
    DiscardTrial,
    EnterResult,
    ReanalyseTrial,
    ReleaseTrial,
    RereadTrial,
    RetryTrial,
    Settlement,
    WithdrawTrial,
)
from campaigns.lab.laboratory import StepConfig
from campaigns.values import TrialState
from loop.core.formatting import trial_numbers
from loop.core.records import BY_HAND, COMPUTER, TrialRecord

DISCARDED = "discarded by "
"""How the reason of a trial begins whose sample somebody has given up."""
_SETTLED = (TrialState.COMPLETED, TrialState.QUARANTINED, TrialState.UNCERTAIN)
_UNFINISHED = (TrialState.FAILED, TrialState.QUARANTINED, TrialState.UNCERTAIN)


def check_settlement(change: Settlement, trials: Sequence[TrialRecord]) -> str:
    """Return why a trial cannot be settled so; empty if it can."""
    if not 0 <= change.trial < len(trials):
        return f"got trial {change.trial}; allowed: {trial_numbers(len(trials))}"
    trial = trials[change.trial]
    fits, allowed = _rule(change, trial)
    return "" if fits else f"trial {trial.number} is {trial.state}; allowed: {allowed}"


def _rule(change: Settlement, trial: TrialRecord) -> tuple[bool, str]:
    """Return whether a decision fits a trial, and which trials it is for."""
    match change:
        case ReleaseTrial():
            return trial.state is TrialState.QUARANTINED, "one in quarantine"
        case ReanalyseTrial():
            rests = trial.state is TrialState.WITHDRAWN and len(trial.acquired) < len(trial.steps)
            return trial.state.ended and not rests and bool(
                trial.acquired
            ), "one that has ended, and of which raw data are stored"
        case WithdrawTrial():
            fits = trial.state in _SETTLED or (trial.state is TrialState.QUEUED and not trial.begun)
            return fits, f"one that waits, is completed, in quarantine or uncertain{_or_discard(trial)}"
        case DiscardTrial():
            fits = trial.state in _UNFINISHED or not trial.state.ended
            return fits and bool(trial.steps), f"one whose sample was begun and is not completed{_or_withdraw(trial)}"
        case AttachTrial():
            return trial.state is TrialState.UNCERTAIN and _at_station(trial), "one that is uncertain at a station"
        case RereadTrial():
            return trial.state in _UNFINISHED and _at_station(trial), f"{_UNFINISHED_TEXT} after a job at a station"
        case RetryTrial():
            return trial.state in _UNFINISHED and trial.begun, f"{_UNFINISHED_TEXT} after a step was begun"
        case EnterResult():
            fits = trial.state is TrialState.QUEUED or (trial.state in _UNFINISHED and trial.begun)
            return fits, f"one that waits, or {_UNFINISHED_TEXT} after a step was begun"
        case _:
            assert_never(change)


def _rests(trial: TrialRecord) -> bool:
    """Return whether a trial was withdrawn with a step that was given up, or with its sample."""
    given_up = len(trial.acquired) < len(trial.steps) or trial.reason.startswith(DISCARDED)
    return trial.state is TrialState.WITHDRAWN and given_up


_UNFINISHED_TEXT = "one that failed, is in quarantine or uncertain"


def _or_discard(trial: TrialRecord) -> str:
    return "; for a sample that was begun and is lost, 'athanor trial discard'" if trial.begun else ""


def _or_withdraw(trial: TrialRecord) -> str:
    return "" if trial.begun and trial.state is not TrialState.COMPLETED else "; for others, 'athanor trial withdraw'"


def check_answer(change: AnswerStep, trials: Sequence[TrialRecord]) -> str:
    """Return why a manual step cannot be answered; empty if it can."""
    known = trials[change.trial].steps if change.trial < len(trials) else ()
    last = next((record for record in known if record.token == change.token), None)
    if last is None or last is not known[-1]:
        return f"trial {change.trial} has gone on since, without this step; nothing was changed"
    if last.open or trials[change.trial].state is TrialState.UNCERTAIN:
        return ""
    return f"its step {last.name} had ended before: trial {change.trial} is {trials[change.trial].state}"


def _at_station(trial: TrialRecord) -> bool:
    """Return whether the last step of a trial is a job that an instrument may know."""
    if not trial.steps:
        return False
    last = trial.steps[-1]
    return last.state is not TrialState.WITHDRAWN and last.station not in (COMPUTER, BY_HAND)


def steps_by_hand(change: EnterResult, trial: TrialRecord, campaign: Campaign) -> list[StepConfig]:
    """Return the steps that count as done with a result: the one at which the trial ended, and those that it covers."""
    left = [step for step in campaign.workflow_of(trial.fidelity) if step.name not in _finished(trial)]
    covered = (bool(change.metrics.keys() & set(step.gives)) for step in left[1:])
    count = 1 + max((place for place, given in enumerate(covered, 1) if given), default=0)
    return left[:count]


def _finished(trial: TrialRecord) -> set[str]:
    """Return the steps of a trial which went well; the last one of a trial that has ended did not."""
    if not trial.state.ended:
        return {record.name for record in trial.done}
    return {record.name for record in trial.done if record.token != trial.steps[-1].token}


def check_result(change: EnterResult, trial: TrialRecord, campaign: Campaign) -> str:
    """Return why metrics cannot be the result of a trial; empty if they can."""
    workflow = campaign.workflow_of(trial.fidelity)
    if not workflow:
        return f"trial {trial.number} is computed ({trial.fidelity}); allowed: 'athanor trial retry {trial.number}'"
    left = [step for step in workflow if step.name not in _finished(trial)]
    allowed = {name: campaign.measured[name] for step in left for name in step.gives}
    for name, metric in change.measured.items():
        if name not in allowed:
            return f"got {name}; allowed for trial {trial.number}: {', '.join(allowed) or 'none'}"
        if metric.unit != allowed[name].unit or not metric.finite:
            return f"got {metric}; allowed: a finite value of {name} in {allowed[name].unit}"
        if why := allowed[name].implausible(metric.value, metric.sd):
            return f"{name} {why}"
    return _lacking(change, trial, campaign)


def _lacking(change: EnterResult, trial: TrialRecord, campaign: Campaign) -> str:
    """Return which metrics a result still has to give, and for which step; empty if none."""
    for step in steps_by_hand(change, trial, campaign):
        known = {name for name in step.gives if trial.metric_key(name) in trial.metrics} | change.metrics.keys()
        missing = [name for name in step.gives if name in campaign.needed and name not in known]
        if missing:
            shown = " ".join(f"{name}='VALUE ± SD {campaign.measured[name].unit}'" for name in missing)
            return f"step {step.name} of trial {trial.number} gives {', '.join(step.gives)}; needed: {shown}"
    return ""
