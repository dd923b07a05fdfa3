"""What the planner makes of all trials whenever one has ended: kept in the store, and told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from campaigns.campaign import Campaign
from loop.core.events import OutlierFlagged, PosteriorBestChanged, RegretEstimated
from loop.core.pareto import wants_front
from loop.core.records import FEWEST, PosteriorBest, completed, weighed
from loop.core.stopping import trial_needing_regret_estimate
from loop.execution.campaign_state import TrialCache
from loop.planning.planner import Planner
from loop.storage.reader import BEST, OUTLIERS, POSTERIOR, REGRET
from loop.storage.store import Store


class Appraisal:
    """Asks the planner, and keeps what it says.

    Args:
        planner: is asked.
        book: the trials.
        store: where it is kept.
    """

    def __init__(self, planner: Planner, book: TrialCache, store: Store) -> None:
        self._planner, self._book, self._store = planner, book, store
        self._told: tuple[PosteriorBest | None, int] | None = None  # in this session

    def outliers(self) -> Iterator[OutlierFlagged]:
        """Keep which trials are suspected outliers and why; yield those of which that has changed."""
        outliers = self._planner.models.outliers()
        changed = [t for t in self._book.trials if t.outlier != outliers.get(t.number, "")]
        if not changed:
            return
        self._store.keep(OUTLIERS, "trials", {str(number): reason for number, reason in outliers.items()})
        for trial in changed:
            reason = outliers.get(trial.number, "")
            self._book.note_outlier(trial.number, reason)
            if bool(reason) != bool(trial.outlier):
                yield OutlierFlagged(trial.number, reason)

    def posterior_best(self, campaign: Campaign) -> Iterator[PosteriorBestChanged]:
        """Keep and yield the best measured candidate by the posterior, where one is looked for and it is news."""
        scored = sum(trial.score is not None for trial in completed(self._book.trials))
        if wants_front(campaign) or scored < FEWEST:
            return
        found = self._planner.models.posterior_best()
        news = (found, weighed(a for a in self._store.amendments() if a.first is not None))
        if news != self._told or self._store.posterior_best() is None:
            self._told = news
            body = None if found is None else asdict(found)
            self._store.keep(POSTERIOR, BEST, {"found": body, "weighed": news[1]})
            yield PosteriorBestChanged(found)

    def regret(self, campaign: Campaign) -> Iterator[RegretEstimated]:
        """Keep and yield what is left to hope for, where a stopping rule wants to know and it is not in the store."""
        trial = trial_needing_regret_estimate(campaign, self._book.trials)
        found = None if trial is None else self._planner.models.estimate_regret(self._planner.experiment.ended)
        if trial is not None and found is not None:
            self._store.keep(REGRET, str(trial.number), asdict(found))
            self._book.refresh(trial.number)
            yield RegretEstimated(trial.number, found)
