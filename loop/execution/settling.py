"""What people decide about single trials: one in quarantine counts after all, or one is never run, or rests."""

from __future__ import annotations

from dataclasses import replace

from campaigns.amendments import Settlement
from campaigns.campaign import Campaign
from loop.core.events import Amended
from loop.core.formatting import change_text
from loop.core.records import Amendment
from loop.execution.campaign_state import TrialCache
from loop.execution.dispatcher import Dispatcher
from loop.execution.pending_amendments import AmendmentLog
from loop.execution.settlements import carry_out
from loop.planning.planner import Planner
from loop.storage.store import Store


class TrialSettlement:
    """Settles trials as the journal asks.

    Args:
        amending: knows what is asked.
        book: the trials.
        store: where it is recorded.
        dispatcher: analyses once more what is released.
        planner: learns from it.
    """

    def __init__(
        self, amending: AmendmentLog, book: TrialCache, store: Store, dispatcher: Dispatcher, planner: Planner
    ) -> None:
        self._amending, self._book, self._store = amending, book, store
        self._dispatcher, self._planner = dispatcher, planner

    def settle(self, campaign: Campaign, now: float) -> list[Amended]:
        """Settle what is asked for, at a lab time in seconds; return what was done, or refused and why."""
        return [self._settle(campaign, one, now) for one in self._amending.settlements()]

    def _settle(self, campaign: Campaign, one: Amendment, now: float) -> Amended:
        assert isinstance(one.change, Settlement)  # noqa: S101 - nothing else is among them
        why, _ = carry_out(self._store, lambda: self._dispatcher.analyst, one, now)
        if not why:
            self._learn(one.change.trial)
        told = self._amending.refuse(one, why) if why else replace(one, first=one.change.trial)
        return Amended(told, change_text(campaign, one.change), tuple(self._book.trials), campaign)

    def _learn(self, number: int) -> None:
        """Learn what was decided of a trial."""
        if self._book[number].state.ended:
            self._book.reread()  # without what was concluded from it before
            self._planner.relearn(self._book.trials)
        else:
            self._planner.ingest(self._book.refresh(number))
