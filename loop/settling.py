"""What people decide about single trials: one in quarantine counts after all, or one is never run, or rests."""

from __future__ import annotations

from dataclasses import replace

from campaigns.amendments import ReanalyseTrial, Settlement, WithdrawTrial
from campaigns.campaign import Campaign
from campaigns.values import TrialState
from loop.amending import Amending, check_settlement
from loop.book import Book
from loop.dispatch import Dispatcher
from loop.events import Amended
from loop.planner import Planner
from loop.records import Amendment, TrialRecord, Verdict
from loop.store import Store
from loop.words import change_text


class Settling:
    """Settles trials as the journal asks.

    Args:
        amending: knows what is asked.
        book: the trials.
        store: where it is recorded.
        dispatcher: analyses once more what is released.
        planner: learns from it.
    """

    def __init__(self, amending: Amending, book: Book, store: Store, dispatcher: Dispatcher, planner: Planner) -> None:
        self._amending, self._book, self._store = amending, book, store
        self._dispatcher, self._planner = dispatcher, planner

    def settle(self, campaign: Campaign, now: float) -> list[Amended]:
        """Settle what is asked for, at a lab time in seconds; return what was done, or refused and why."""
        return [self._settle(campaign, one, now) for one in self._amending.settlements()]

    def _settle(self, campaign: Campaign, one: Amendment, now: float) -> Amended:
        assert isinstance(one.change, Settlement)  # noqa: S101 - nothing else is among them
        why = check_settlement(one.change, self._book.trials)
        if not why:
            why = self._settled(campaign, self._book[one.change.trial], one, now)
        told = self._amending.refuse(one, why) if why else replace(one, first=one.change.trial)
        return Amended(told, change_text(campaign, one.change), tuple(self._book.trials), campaign)

    def _settled(self, campaign: Campaign, trial: TrialRecord, one: Amendment, now: float) -> str:
        """Settle a trial; return what speaks against that, empty if nothing does."""
        match one.change:
            case WithdrawTrial():
                return self._withdraw(trial, one, now)
            case ReanalyseTrial():
                return self._reanalyse(trial, one, now)
            case _:
                return self._release(campaign, trial, one, now)

    def _reanalyse(self, trial: TrialRecord, one: Amendment, now: float) -> str:
        """Take what the raw data of a trial come to now for what was measured; return what speaks against it."""
        metrics, _, why = self._dispatcher.analyst.anew(trial)
        if why:
            return why
        self._store.reanalyse(trial.number, metrics, now, one)
        self._learn_anew()
        return ""

    def _withdraw(self, trial: TrialRecord, one: Amendment, now: float) -> str:
        """Withdraw a trial; nothing speaks against it."""
        verdict = Verdict(TrialState.WITHDRAWN, f"{one.author}: {one.reason}", flags=trial.flags)
        self._store.end(trial.number, verdict, now, one.number)
        if trial.state.ended:
            self._learn_anew()
        else:
            self._planner.ingest(self._book.refresh(trial.number))
        return ""

    def _release(self, campaign: Campaign, trial: TrialRecord, one: Amendment, now: float) -> str:
        """Let a trial in quarantine go on; return what speaks against it, empty if it does."""
        record = trial.steps[-1]
        analysed = self._dispatcher.analyst.analyse(trial, campaign.step(record.name), record, trusting=True)
        if analysed.flags or analysed.missing:
            lacking = (f"{name} cannot be had: the analysis gave {given}" for name, given in analysed.missing.items())
            return "; ".join((*analysed.flags, *lacking))
        self._store.release(trial.number, analysed.metrics, now, one)
        self._learn_anew()
        return ""

    def _learn_anew(self) -> None:
        """Learn all trials, without what was concluded from them before."""
        self._book.reread()
        self._planner.relearn(self._book.trials)
