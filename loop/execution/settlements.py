"""Carry out what people decide about single trials: one in quarantine counts after all, or one is never run, or rests.

``settle_pending`` does so in a run, ``settle_offline`` where none goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from campaigns.amendments import ReanalyseTrial, ReleaseTrial, Settlement, WithdrawTrial
from campaigns.campaign import Campaign
from campaigns.errors import AnalysisError, StoreInUseError
from campaigns.values import TrialState
from loop.core.campaign_version import as_scored
from loop.core.events import Amended
from loop.core.formatting import change_text, outcome_text, since_text
from loop.core.journal import Amendment
from loop.core.outcome_constraints import broken_text
from loop.core.records import TrialRecord, TrialResult
from loop.core.trial_scoring import ending_of_trial
from loop.execution.pending_amendments import check_settlement, refuse
from loop.execution.step_analysis import Analyst
from loop.execution.trial_import import computed_of
from loop.planning.pool_data import PoolData, load_pool_data
from loop.storage.reader import Reader
from loop.storage.store import Store

if TYPE_CHECKING:
    from loop.execution.campaign_state import CampaignState
    from loop.planning.planner import Planner

Analysts = Callable[[], Analyst]
"""Makes what analyses raw data; asked only where that is needed."""


def settle_offline(campaign: Campaign, path: Path) -> Iterator[str]:
    """Settle all trials that the journal asks for, if no run goes on, and yield what there is to say.

    Raises:
        AnalysisError: none can be settled so.
    """
    try:
        store = Store(f"sqlite:///{path}")
    except StoreInUseError:
        yield "the run that goes on does it before its next proposal"
        return
    try:
        yield from _settle_all(campaign, store)
    finally:
        store.close("")


def build_analyst(campaign: Campaign, store: Reader) -> tuple[Analyst, PoolData | None]:
    """Return what analyses by the current campaign version, with its materials.

    Raises:
        CampaignError: an analysis, or the pool, cannot be loaded.
    """
    campaign = as_scored(campaign, store.amendments()).campaign
    materials = load_pool_data(campaign)
    return Analyst(campaign, store, None if materials is None else materials.pool), materials


def settle_pending(state: CampaignState, analyst: Analyst, planner: Planner, now: float) -> list[Amended]:
    """Settle all trials that the journal asks for in a run; return what was done, or refused and why.

    Args:
        state: of the session.
        analyst: analyses once more what is released.
        planner: learns from it.
        now: lab time in seconds.
    """
    asked = [a for a in state.journal if a.waiting and isinstance(a.change, Settlement)]
    return [_settle_in_run(state, analyst, planner, one, now) for one in asked]


def _settle_in_run(state: CampaignState, analyst: Analyst, planner: Planner, one: Amendment, now: float) -> Amended:
    assert isinstance(one.change, Settlement)  # noqa: S101 - nothing else is among them
    number = one.change.trial
    why, _ = settle_trial(state.store, lambda: analyst, one, now)
    if why:
        done = refuse(state.store, one, why)
    elif state[number].state.ended:
        done = replace(one, first=number)
        state.read_trials()  # without what was concluded from it before
        planner.relearn(state.trials)
    else:
        done = replace(one, first=number)
        planner.ingest(state.read_trial(number))
    return Amended(done, change_text(state.campaign, one.change), tuple(state.trials), state.campaign)


def _settle_all(campaign: Campaign, store: Store) -> Iterator[str]:
    scored = as_scored(campaign, store.amendments()).campaign

    @cache
    def loaded() -> tuple[Analyst, PoolData | None]:
        return build_analyst(campaign, store)

    lab, objective = max((change.lab for change in store.transitions()), default=0.0), scored.build_objective()
    refused: list[bool] = []
    for one in store.amendments():
        if not one.waiting or not isinstance(one.change, Settlement):
            continue
        why, ending = settle_trial(store, lambda: loaded()[0], one, lab)
        refused.append(bool(why))
        if why:
            refuse(store, one, why)
            yield f"amendment {one.number}: {refusal_text(one.change, why)}"
            continue
        done, trial = replace(one, first=one.change.trial), store.trial(one.change.trial)
        yield f"amendment {one.number}: {change_text(scored, one.change)}, {since_text(done)}"
        if not trial.state.ended:
            ending = ending or ending_of_trial(scored, trial, computed_of(loaded()[1])(trial.candidate.material))
            trial = trial if ending is None else store.end(trial.number, ending, lab)
        if not isinstance(one.change, WithdrawTrial):
            yield f"trial {trial.number}: {outcome_text(trial, broken_text(objective, trial))}"
    if refused and all(refused):
        raise AnalysisError("nothing was changed; the raw data are kept, correct the analysis and ask again")


def settle_trial(store: Store, analyst: Analysts, one: Amendment, lab: float) -> tuple[str, TrialResult | None]:
    """Settle a trial as an amendment asks; return why it cannot be done, empty if it was, and how the trial ends.

    A trial that was released or analysed anew has no ending yet, where that is None.

    Args:
        store: where it is recorded, in one transaction.
        analyst: makes what analyses.
        one: asks for it.
        lab: lab time in seconds.
    """
    assert isinstance(one.change, Settlement)  # noqa: S101 - nothing else is given
    trials = store.trials()
    if why := check_settlement(one.change, trials):
        return why, None
    trial = trials[one.change.trial]
    match one.change:
        case WithdrawTrial():
            withdrawn = TrialResult(TrialState.WITHDRAWN, f"{one.author}: {one.reason}", flags=trial.flags)
            store.end(trial.number, withdrawn, lab, one.number)
            return "", None
        case ReanalyseTrial():
            metrics, ending, why = analyst().reanalyse(trial)
            if not why:
                store.reanalyse(trial.number, metrics, lab, one)
            return why, ending
        case ReleaseTrial():
            return _release(store, analyst(), trial, one, lab), None


def _release(store: Store, analyst: Analyst, trial: TrialRecord, one: Amendment, lab: float) -> str:
    """Let a trial in quarantine go on; return what speaks against it, empty if it does."""
    record = trial.steps[-1]
    analysed = analyst.analyse(trial, analyst.step(record.name), record, trusting=True)
    if analysed.flags or analysed.missing:
        lacking = (f"{name} has no value: the analysis gave {given}" for name, given in analysed.missing.items())
        return "; ".join((*analysed.flags, *lacking))
    store.release(trial.number, analysed.metrics, lab, one)
    return ""


def refusal_text(change: Settlement, why: str) -> str:
    """Return that a trial cannot be settled so."""
    verbs = {ReleaseTrial: "released", WithdrawTrial: "withdrawn", ReanalyseTrial: "analysed"}
    return f"trial {change.trial} could not be {verbs[type(change)]}: {why}"
