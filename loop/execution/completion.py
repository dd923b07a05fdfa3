"""What becomes of a trial: how it ended goes to the store, then to the planner, then to everybody else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from loop.core.candidate_results import CandidateResult, best, results
from loop.core.events import (
    BestChanged,
    Event,
    FrontGrew,
    OutlierFlagged,
    PosteriorBestChanged,
    RegretEstimated,
    SurrogateChanged,
    TrialEnded,
    Warned,
)
from loop.core.journal import weights_version
from loop.core.outcome_constraints import broken_text
from loop.core.pareto import front, wants_front
from loop.core.records import FEWEST, PosteriorBest, TrialRecord, TrialResult
from loop.core.stopping import trial_needing_regret_estimate
from loop.core.trial_scoring import ending_of_trial
from loop.core.trial_selection import completed
from loop.execution.campaign_state import CampaignState
from loop.execution.retraining import Retraining
from loop.execution.session import CampaignResources, Session
from loop.execution.trial_import import computed_of
from loop.planning.numerical_errors import NUMERICAL_ERRORS, shortened
from loop.storage.reader import BEST, POSTERIOR, REGRET


class TrialCompletion:
    """Ends trials, and keeps what the planner concludes from all of them whenever one has ended.

    Args:
        parts: the planner, who learns, and what was computed of each material.
        session: where it is recorded, and who receives the events.
        state: the trials, and the current objective.
        retraining: tunes a model meanwhile, or None.
    """

    def __init__(
        self, parts: CampaignResources, session: Session, state: CampaignState, retraining: Retraining | None
    ) -> None:
        self._planner, self._computed = parts.planner, computed_of(parts.materials)
        self._session, self._state, self._retraining = session, state, retraining
        self._announced: tuple[PosteriorBest | None, int, dict[int, str]] | None = None  # in this session

    def complete(self, number: int) -> None:
        """End a trial that has gone through all steps."""
        trial = self._state[number]
        if trial.state.ended:
            return
        ending = ending_of_trial(self._state.campaign, trial, self._computed(trial.candidate.material))
        if ending is not None:
            self.end(number, ending)

    def end(self, number: int, ending: TrialResult) -> None:
        """End a trial."""
        previous = self.best
        trial = self._state.put(self._session.store.end(number, ending, self._session.clock.now()))
        changed = [(metric, change.text) for metric, change in self._planner.ingest(trial)]
        self._session.store.beat()
        self._session.on_event(TrialEnded(trial, broken_text(self._state.campaign.build_objective(), trial)))
        self.review_measurements()
        self.estimate_regret()
        self._session.emit(model_events(number, changed + self._retrained()))
        self._session.emit(self._progress(trial, previous))

    @property
    def found(self) -> list[CandidateResult]:
        """The candidates that were measured so far, by the current campaign."""
        return results(self._state.campaign.build_objective(), self._state.trials)

    @property
    def best(self) -> CandidateResult | None:
        """The best measured candidate so far."""
        return best(self.found)

    def retrain(self) -> None:
        """Begin or settle the tuning of a model, if that is due."""
        latest = max((trial.number for trial in self._state.trials), default=0)
        self._session.emit(model_events(latest, self._retrained()))

    def review_measurements(self) -> None:
        """Keep and tell which trials are suspected outliers, and which candidate is the best by the posterior."""
        self._ask_models(self._outliers())
        self._ask_models(self._posterior_best())

    def estimate_regret(self) -> None:
        """Keep and tell the expected regret, where a stopping rule asks for it and the store does not have it yet."""
        self._ask_models(self._regret())

    def _ask_models(self, answers: Iterator[Event]) -> None:
        """Tell what the models say; where their numerics fail, warn, and what they said before stands."""
        try:
            found = list(answers)
        except NUMERICAL_ERRORS as error:
            found = [Warned(f"the models could not be asked ({shortened(error)}); what they said before stands")]
        self._session.emit(found)

    def _regret(self) -> Iterator[RegretEstimated]:
        trial = trial_needing_regret_estimate(self._state.campaign, self._state.trials)
        found = None if trial is None else self._planner.models.estimate_regret(self._planner.experiment.ended)
        if trial is not None and found is not None:
            self._session.store.keep(REGRET, str(trial.number), asdict(found))
            self._state.read_trial(trial.number)
            yield RegretEstimated(trial.number, found)

    def _outliers(self) -> Iterator[OutlierFlagged]:
        outliers = self._planner.models.outliers()
        changed = [t for t in self._state.trials if t.outlier != outliers.get(t.number, "")]
        if not changed:
            return
        self._session.store.set_outliers(outliers)
        for trial in changed:
            reason = outliers.get(trial.number, "")
            self._state.set_outlier(trial.number, reason)
            if bool(reason) != bool(trial.outlier):
                yield OutlierFlagged(trial.number, reason)

    def _posterior_best(self) -> Iterator[PosteriorBestChanged]:
        """Keep and yield the best measured candidate by the posterior, where one is looked for and it is news."""
        if wants_front(self._state.campaign) or self._planner.models.scored < FEWEST:
            return
        models, store = self._planner.models, self._session.store
        found, doubtful = models.posterior_best(), models.doubts()
        news = (found, weights_version(a for a in store.amendments() if a.first is not None), doubtful)
        if news != self._announced or store.posterior_best() is None:
            self._announced = news
            body = None if found is None else asdict(found)
            kept = {str(number): text for number, text in doubtful.items()}
            store.keep(POSTERIOR, BEST, {"found": body, "weighed": news[1], "doubts": kept})
            yield PosteriorBestChanged(found)

    def _retrained(self) -> list[tuple[str, str]]:
        if self._retraining is None:
            return []
        return self._retraining.advance(completed(self._state.trials))

    def _progress(self, trial: TrialRecord, previous: CandidateResult | None) -> Iterator[Event]:
        """Yield what a trial has changed about the best, or the front."""
        campaign, incumbent = self._state.campaign, self.best
        if wants_front(campaign):
            grown = front(campaign.build_objective(), self._state.trials)
            if trial.number in grown.numbers:
                yield FrontGrew(trial.number, grown)
        elif _shown(incumbent) != _shown(previous):
            yield BestChanged(incumbent)


def _shown(one: CandidateResult | None) -> object:
    """Return what is shown of the best candidate."""
    return None if one is None else (one.numbers, one.score)


def model_events(trial: int, found: Sequence[tuple[str, str]]) -> list[Event]:
    """Return what has changed about the models of metrics, with a trial, as events."""
    return [SurrogateChanged(trial, metric, text) for metric, text in found]
