"""Carry out at once what people decide about single trials, where no run goes on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from campaigns.campaign import Campaign
from campaigns.decisions import (
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
from campaigns.errors import AnalysisError, StoreInUseError
from loop.core.campaign_version import as_scored
from loop.core.formatting import change_text, outcome_text, since_text
from loop.core.journal import Amendment
from loop.core.outcome_constraints import broken_text
from loop.core.records import TrialRecord, TrialResult
from loop.core.trial_scoring import ending_of_trial
from loop.execution.decisions.pending_amendments import refuse
from loop.execution.decisions.settlements import settle_trial
from loop.execution.jobs.step_analysis import Analyst
from loop.execution.trial_import import computed_of
from loop.planning.pool_data import PoolData, load_pool_data
from loop.storage.reader import Reader
from loop.storage.store import Store

_REST = (WithdrawTrial, DiscardTrial)
"""Decisions after which nothing goes on."""
_GO_ON = (RetryTrial, AttachTrial)
"""Decisions after which a run has to do something."""


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
        yield from settle_waiting(campaign, store)
    finally:
        store.close("")


def settle_waiting(campaign: Campaign, store: Store) -> Iterator[str]:
    """Settle all trials that the journal asks for, of a store that this process has leased; yield what there is to say.

    Raises:
        AnalysisError: none can be settled so.
    """
    yield from _Offline(campaign, store).settle_all()


def build_analyst(campaign: Campaign, store: Reader) -> tuple[Analyst, PoolData | None]:
    """Return what analyses by the current campaign version, with its materials.

    Raises:
        CampaignError: an analysis, or the pool, cannot be loaded.
    """
    campaign = as_scored(campaign, store.amendments()).campaign
    materials = load_pool_data(campaign)
    return Analyst(campaign, store, None if materials is None else materials.pool), materials


class _Offline:
    """Settles what waits in the journal of a store.

    Args:
        campaign: of the file.
        store: that this process has leased.
    """

    def __init__(self, campaign: Campaign, store: Store) -> None:
        self._store = store
        self._scored = as_scored(campaign, store.amendments()).campaign
        self._loaded = cache(lambda: build_analyst(campaign, store))
        self._lab = max((change.lab for change in store.transitions()), default=0.0)

    def settle_all(self) -> Iterator[str]:
        """Settle all that can be without a laboratory; yield what there is to say.

        Raises:
            AnalysisError: something was refused, and nothing done.
        """
        refused: list[bool] = []
        for one in self._store.amendments():
            if not one.waiting or not isinstance(one.change, Settlement):
                continue
            if isinstance(one.change, RereadTrial):
                text = change_text(self._scored, one.change)
                yield f"amendment {one.number}: {text}, as soon as 'athanor run' can ask the instrument"
                continue
            why = yield from self._settle(one, one.change)
            refused.append(bool(why))
        if refused and all(refused):
            advice = "correct the analysis, let 'athanor run' begin with the corrected file, and ask again"
            raise AnalysisError(f"nothing was changed; the raw data are kept: {advice}")

    def _settle(self, one: Amendment, change: Settlement) -> Generator[str, None, str]:
        """Settle a trial; yield what there is to say, and return what speaks against it."""
        why, ending = settle_trial(self._store, lambda: self._loaded()[0], one, self._scored, self._lab)
        if why:
            refuse(self._store, one, why)
            yield f"amendment {one.number}: {refusal_text(change, why)}"
            return why
        trial = self._store.trial(change.trial)
        done = since_text(replace(one, first=trial.number))
        yield f"amendment {one.number}: {change_text(self._scored, change)}, {done}"
        if not trial.state.ended and not isinstance(change, _GO_ON):
            ending = ending or self._ending(trial)
            trial = trial if ending is None else self._store.end(trial.number, ending, self._lab)
        if not isinstance(change, _REST):
            yield f"trial {trial.number}: {self._outcome(trial)}"
        return ""

    def _ending(self, trial: TrialRecord) -> TrialResult | None:
        materials = None if trial.candidate.material is None else self._loaded()[1]
        return ending_of_trial(self._scored, trial, computed_of(materials)(trial.candidate.material))

    def _outcome(self, trial: TrialRecord) -> str:
        if not trial.state.ended:
            return f"{trial.state}; goes on with 'athanor run'"
        return outcome_text(trial, broken_text(self._scored.build_objective(), trial))


def refusal_text(change: Settlement, why: str) -> str:
    """Return that a trial cannot be settled so."""
    verbs = {
        ReleaseTrial: "released",
        WithdrawTrial: "withdrawn",
        ReanalyseTrial: "analysed",
        RetryTrial: "repeated",
        AttachTrial: "taken up again",
        EnterResult: "given a result",
        DiscardTrial: "discarded",
    }
    return f"trial {change.trial} could not be {verbs[type(change)]}: {why}"
