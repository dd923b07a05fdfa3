"""What becomes of a trial: its verdict goes to the store, then to the planner, then to everybody else."""

from __future__ import annotations

from collections.abc import Sequence

from loop.core.candidate_results import CandidateResult, best, results
from loop.core.events import BestChanged, Event, FrontGrew, SurrogateChanged, TrialEnded
from loop.core.pareto import front, wants_front
from loop.core.records import TrialRecord, TrialResult, completed
from loop.core.trial_scoring import completion
from loop.execution.appraisal import Appraisal
from loop.execution.campaign_state import TrialCache
from loop.execution.pending_amendments import AmendmentLog
from loop.execution.retraining import Retraining
from loop.execution.session import CampaignResources, Session


class TrialCompletion:
    """Ends trials.

    Args:
        parts: the planner, who learns, and what was computed of each material.
        session: where it is recorded, and who is told.
        amending: knows the objective in force.
        book: the trials.
        retraining: tunes a model meanwhile, or None.
    """

    def __init__(
        self,
        parts: CampaignResources,
        session: Session,
        amending: AmendmentLog,
        book: TrialCache,
        retraining: Retraining | None,
    ) -> None:
        self._planner, self._materials, self._session = parts.planner, parts.materials, session
        self._amending, self._book, self._retraining = amending, book, retraining
        self._appraising = Appraisal(parts.planner, book, session.store)

    def complete(self, number: int) -> None:
        """End a trial that has gone through all steps."""
        trial, campaign = self._book[number], self._amending.edition.campaign
        if trial.state.ended:
            return
        computed = {} if self._materials is None else self._materials.computed_of(trial.candidate.material)
        ending = completion(campaign, trial, computed)
        if ending is not None:
            self.end(number, ending)

    def end(self, number: int, ending: TrialResult) -> None:
        """End a trial."""
        previous = self.best
        self._session.store.end(number, ending, self._session.clock.now())
        trial = self._book.refresh(number)
        changed = [(metric, change.text) for metric, change in self._planner.ingest(trial)]
        self._session.store.beat()
        self._session.on_event(TrialEnded(trial))
        self.appraise()
        self.look_ahead()
        self._session.tell(changes(number, changed + self._retrained()))
        self._tell_of_progress(trial, previous)

    @property
    def found(self) -> list[CandidateResult]:
        """The candidates that were measured so far, by what is in force."""
        return results(self._amending.edition.campaign.build_objective(), self._book.trials)

    @property
    def best(self) -> CandidateResult | None:
        """The best measured candidate so far."""
        return best(self.found)

    def tune(self) -> None:
        """Begin or settle the tuning of a model, if that is due."""
        latest = max((trial.number for trial in self._book.trials), default=0)
        self._session.tell(changes(latest, self._retrained()))

    def appraise(self) -> None:
        """Keep and tell which trials are suspected outliers, and which candidate is the best by the posterior."""
        self._session.tell(self._appraising.outliers())
        self._session.tell(self._appraising.posterior_best(self._amending.edition.campaign))

    def look_ahead(self) -> None:
        """Keep and tell what is left to hope for, where a stopping rule wants to know."""
        self._session.tell(self._appraising.regret(self._amending.edition.campaign))

    def _retrained(self) -> list[tuple[str, str]]:
        if self._retraining is None:
            return []
        return self._retraining.advance(completed(self._book.trials))

    def _tell_of_progress(self, trial: TrialRecord, previous: CandidateResult | None) -> None:
        campaign, incumbent = self._amending.edition.campaign, self.best
        if wants_front(campaign):
            grown = front(campaign.build_objective(), self._book.trials)
            if trial.number in grown.numbers:
                self._session.on_event(FrontGrew(trial.number, grown))
        elif _told(incumbent) != _told(previous):
            self._session.on_event(BestChanged(incumbent))


def _told(one: CandidateResult | None) -> object:
    """Return what there is to tell of the best candidate."""
    return None if one is None else (one.numbers, one.score)


def changes(trial: int, found: Sequence[tuple[str, str]]) -> list[Event]:
    """Return what has changed about the models of metrics, with a trial, as events."""
    return [SurrogateChanged(trial, metric, text) for metric, text in found]
