"""Carry out in a run what people decide about single trials: what counts after all, is repeated, rests, or is lost.

``loop.execution.decisions.offline_settlements`` does so where no run goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from campaigns.campaign import Campaign
from campaigns.decisions import (
    AttachTrial,
    DiscardTrial,
    EnterResult,
    ReanalyseTrial,
    ReleaseTrial,
    Reopening,
    RereadTrial,
    RetryTrial,
    Settlement,
    WithdrawTrial,
)
from campaigns.values import MetricValue, TrialState
from loop.core.events import Amended
from loop.core.formatting import change_text, metrics_text
from loop.core.journal import Amendment
from loop.core.records import BY_HAND, StepRecord, TrialRecord, TrialResult
from loop.execution.decisions.pending_amendments import refuse
from loop.execution.decisions.settlement_rules import DISCARDED, check_result, check_settlement, steps_by_hand
from loop.execution.jobs.step_analysis import Analyst
from loop.storage.store import Store

if TYPE_CHECKING:
    from loop.execution.campaign_state import CampaignState
    from loop.execution.jobs.step_runner import StepRunner
    from loop.planning.planner import Planner

Analysts = Callable[[], Analyst]
"""Makes what analyses raw data; asked only where that is needed."""


def settle_pending(
    state: CampaignState, steps: StepRunner, analyst: Analyst, planner: Planner, now: float
) -> list[Amended]:
    """Settle the trials that the journal asks for in a run; return what was done, or refused and why.

    A sample that is discarded while its job is under way is settled once that has been given up.

    Args:
        state: of the session.
        steps: those under way.
        analyst: analyses once more what is released.
        planner: learns from it.
        now: lab time in seconds.
    """
    done = []
    for one in state.journal:
        if not one.waiting or not isinstance(one.change, Settlement):
            continue
        reason = f"{one.author} gave it up: {one.reason}"
        if isinstance(one.change, DiscardTrial) and steps.abort(one.change.trial, reason):
            continue
        why = _unreadable(state, steps, one.change)
        refused = _amended(state, refuse(state.store, one, why)) if why else None
        done.append(refused or _settle_in_run(state, analyst, planner, one, now))
    return done


def _unreadable(state: CampaignState, steps: StepRunner, change: Settlement) -> str:
    """Return why data cannot be read again; empty if they can, or something else is asked for."""
    if not isinstance(change, RereadTrial):
        return ""
    return check_settlement(change, state.trials) or steps.unreadable(change.trial)


def _settle_in_run(state: CampaignState, analyst: Analyst, planner: Planner, one: Amendment, now: float) -> Amended:
    assert isinstance(one.change, Settlement)  # noqa: S101 - nothing else is among them
    number = one.change.trial
    why, _ = settle_trial(state.store, lambda: analyst, one, state.campaign, now)
    if why:
        return _amended(state, refuse(state.store, one, why))
    if state[number].state.ended:
        state.read_trials()  # without what was concluded from it before
        planner.relearn(state.trials)
    elif (trial := state.read_trial(number)).state.ended:
        planner.ingest(trial)
    return _amended(state, replace(one, first=number))


def _amended(state: CampaignState, one: Amendment) -> Amended:
    return Amended(one, change_text(state.campaign, one.change), tuple(state.trials), state.campaign)


def settle_trial(
    store: Store, analyst: Analysts, one: Amendment, campaign: Campaign, lab: float
) -> tuple[str, TrialResult | None]:
    """Settle a trial as an amendment asks; return why it cannot be done, empty if it was, and how the trial ends.

    A trial that goes on has no ending yet, where that is None.

    Args:
        store: where it is recorded, in one transaction.
        analyst: makes what analyses.
        one: asks for it.
        campaign: its steps and metrics.
        lab: lab time in seconds.
    """
    assert isinstance(one.change, Settlement)  # noqa: S101 - nothing else is given
    trials = store.trials()
    if why := check_settlement(one.change, trials):
        return why, None
    trial = trials[one.change.trial]
    match one.change:
        case ReanalyseTrial():
            metrics, ending, why = analyst().reanalyse(trial)
            if not why:
                store.reanalyse(trial.number, metrics, lab, one)
            return why, ending
        case ReleaseTrial():
            return _release(store, analyst(), trial, one, lab), None
        case EnterResult():
            return _enter(store, campaign, trial, one, lab), None
        case WithdrawTrial() | DiscardTrial():
            _give_up(store, trial, one, lab)
        case RetryTrial() | AttachTrial() | RereadTrial():
            _reopen(store, campaign, trial, one, lab)
    return "", None


def _give_up(store: Store, trial: TrialRecord, one: Amendment, lab: float) -> None:
    """End a trial whose sample is lost, or which is not wanted."""
    discarded = isinstance(one.change, DiscardTrial)
    reason = f"{DISCARDED if discarded else ''}{one.author}: {one.reason}"
    for record in trial.steps:
        if not record.state.ended and record.state is not TrialState.ACQUIRED:
            moved = record.state is TrialState.DISPATCHED
            store.mark(record.token, TrialState.UNCERTAIN if moved else TrialState.WITHDRAWN, lab, reason)
    store.end(trial.number, TrialResult(TrialState.WITHDRAWN, reason, flags=trial.flags), lab, one.number)


def _reopen(store: Store, campaign: Campaign, trial: TrialRecord, one: Amendment, lab: float) -> None:
    """Let a trial go on with its last step: by the job itself, or by another attempt."""
    assert isinstance(one.change, Reopening)  # noqa: S101 - nothing else is given
    last = trial.steps[-1]
    if isinstance(one.change, RetryTrial):
        state = TrialState.FAILED if last.state is TrialState.ACQUIRED else last.state
        reason = last.reason or f"repeated, as {one.author} asks: {one.reason}"
    else:
        state, reason = TrialState.DISPATCHED, f"taken up again, as {one.author} asks: {one.reason}"
    kept = _metrics_before(campaign, trial)
    store.reopen(replace(last, state=state, reason=reason), kept, lab, one)


def _metrics_before(campaign: Campaign, trial: TrialRecord) -> dict[str, MetricValue]:
    """Return the metrics of the steps before the last one of a trial."""
    steps = [campaign.step(record.name) for record in trial.done if record.token != trial.steps[-1].token]
    names = [trial.metric_key(name) for step in steps for name in step.gives]
    return {name: trial.metrics[name] for name in names if name in trial.metrics}


def _enter(store: Store, campaign: Campaign, trial: TrialRecord, one: Amendment, lab: float) -> str:
    """Let steps of a trial count as done by hand; return what speaks against it, empty if it is done."""
    assert isinstance(one.change, EnterResult)  # noqa: S101 - nothing else is given
    if why := check_result(one.change, trial, campaign):
        return why
    given = one.change.measured
    text = metrics_text(given, list(given)) or "done"
    reason = f"{text}, entered by {one.author}: {one.reason}"
    known = {record.name: record for record in trial.steps}
    records = [
        _by_hand(known.get(step.name), (store.campaign().created, trial.number, step.name), reason, lab)
        for step in steps_by_hand(one.change, trial, campaign)
    ]
    metrics = _known(campaign, trial) | {trial.metric_key(name): metric for name, metric in given.items()}
    store.enter_result(trial.number, records, metrics, lab, one)
    return ""


def _known(campaign: Campaign, trial: TrialRecord) -> dict[str, MetricValue]:
    """Return the metrics of a trial that were measured; others are worked out again."""
    keys = {trial.metric_key(name) for name in campaign.measured}
    return {name: metric for name, metric in trial.metrics.items() if name in keys}


def _by_hand(known: StepRecord | None, new: tuple[float, int, str], reason: str, lab: float) -> StepRecord:
    """Return the record of a step that counts as done by hand: its last attempt, or a new one."""
    if known is not None:
        return replace(known, state=TrialState.COMPLETED, reason=reason, ended=known.ended or lab)
    created, trial, name = new
    token = f"{created:.3f}-{trial}-{name}-1"
    return StepRecord(name, 1, BY_HAND, token, TrialState.COMPLETED, lab, lab, None, reason, 0.0)


def _release(store: Store, analyst: Analyst, trial: TrialRecord, one: Amendment, lab: float) -> str:
    """Let a trial in quarantine go on; return what speaks against it, empty if it does."""
    record = trial.steps[-1]
    analysed = analyst.analyse(trial, analyst.step(record.name), record, trusting=True)
    if analysed.flags or analysed.missing:
        lacking = (f"{name} has no value: the analysis gave {given}" for name, given in analysed.missing.items())
        return "; ".join((*analysed.flags, *lacking))
    store.release(trial.number, analysed.metrics, lab, one)
    return ""
