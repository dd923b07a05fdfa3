"""What the planner makes of all trials whenever one has ended: kept in the store, and told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from campaigns.campaign import Campaign
from loop.book import Book
from loop.events import Doubted, LookedAhead
from loop.planner import Planner
from loop.reader import DOUBTS, OUTLOOK
from loop.stopping import unanswered
from loop.store import Store


class Appraising:
    """Asks the planner, and keeps what it says.

    Args:
        planner: is asked.
        book: the trials.
        store: where it is kept.
    """

    def __init__(self, planner: Planner, book: Book, store: Store) -> None:
        self._planner, self._book, self._store = planner, book, store

    def doubts(self) -> Iterator[Doubted]:
        """Keep which measurements are not believed and why; yield those of which that has changed."""
        doubts = self._planner.doubts()
        changed = [t for t in self._book.trials if t.doubt != doubts.get(t.number, "")]
        if not changed:
            return
        self._store.keep(DOUBTS, "trials", {str(number): reason for number, reason in doubts.items()})
        for trial in changed:
            reason = doubts.get(trial.number, "")
            self._book.doubt(trial.number, reason)
            if bool(reason) != bool(trial.doubt):
                yield Doubted(trial.number, reason)

    def outlook(self, campaign: Campaign) -> Iterator[LookedAhead]:
        """Keep and yield what is left to hope for, where a stopping rule wants to know and it is not in the store."""
        trial = unanswered(campaign, self._book.trials)
        found = None if trial is None else self._planner.outlook()
        if trial is not None and found is not None:
            self._store.keep(OUTLOOK, str(trial.number), asdict(found))
            self._book.refresh(trial.number)
            yield LookedAhead(trial.number, found)
