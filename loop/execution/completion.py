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
from loop.core.records import PosteriorBest, RegretEstimate, TrialRecord, TrialResult
from loop.core.stopping import trial_needing_regret_estimate
from loop.core.trial_scoring import ending_of_trial
from loop.core.trial_selection import completed
from loop.execution.campaign_state import CampaignState
from loop.execution.planner_thread import PlannerThread
from loop.execution.retraining import Retraining
from loop.execution.session import CampaignResources, Session
from loop.execution.trial_import import computed_of
from loop.planning.conclusions import Conclusions, Leader, NoAnswer, conclude, regret
from loop.storage.reader import BEST, POSTERIOR, REGRET


class TrialCompletion:
    """Ends trials, and keeps what the planner concludes from all of them whenever one has ended.

    Args:
        parts: the planner, who learns, and what was computed of each material.
        session: where it is recorded, and who receives the events.
        state: the trials, and the current objective.
        retraining: tunes a model meanwhile, or None.
        thread: in which the planner learns.
    """

    def __init__(
        self,
        parts: CampaignResources,
        session: Session,
        state: CampaignState,
        retraining: Retraining | None,
        thread: PlannerThread,
    ) -> None:
        self._planner, self._computed = parts.planner, computed_of(parts.materials)
        self._session, self._state, self._retraining, self._thread = session, state, retraining, thread
        self._ended: list[TrialRecord] = []  # of which the planner has not learnt yet
        self._previous: CandidateResult | None = None  # the best before those
        self._due = False
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
        if not self._ended:
            self._previous = self.best
        trial = self._state.put(self._session.store.end(number, ending, self._session.clock.now()))
        self._session.store.beat()
        self._session.on_event(TrialEnded(trial, broken_text(self._state.campaign.build_objective(), trial)))
        self._ended.append(trial)
        self.review()

    @property
    def found(self) -> list[CandidateResult]:
        """The candidates that were measured so far, by the current campaign."""
        return results(self._state.campaign.build_objective(), self._state.trials)

    @property
    def best(self) -> CandidateResult | None:
        """The best measured candidate so far."""
        return best(self.found)

    @property
    def may_stop(self) -> bool:
        """Whether a stopping rule waits for what the models say."""
        return self._thread.busy and trial_needing_regret_estimate(self._state.campaign, self._state.trials) is not None

    def retrain(self) -> None:
        """Begin or settle the tuning of a model, if that is due."""
        latest = max((trial.number for trial in self._state.trials), default=0)
        self._session.emit(model_events(latest, self._retrained()))

    def review(self) -> None:
        """Have the planner learn what has ended, and its models asked anew."""
        self._due = True
        self.advance()

    def advance(self) -> None:
        """Begin that as soon as the planner is free."""
        if not self._due or self._thread.busy:
            return
        ended, self._ended, self._due = self._ended, [], False
        wants_leader = not wants_front(self._state.campaign)
        self._thread.begin(
            lambda: conclude(self._planner, ended, wants_leader=wants_leader),
            lambda done: self._take(ended, self._previous, done.result()),
        )

    def _take(self, ended: Sequence[TrialRecord], previous: CandidateResult | None, found: Conclusions) -> None:
        """Keep and tell what the models say after trials have ended."""
        self._session.emit(self._outliers(found.outliers))
        self._session.emit(self._posterior_best(found.leader))
        for number, metric, text in found.health:
            self._session.emit(model_events(number, [(metric, text)]))
        if ended:
            self._session.emit(model_events(ended[-1].number, self._retrained()))
        self._estimate_regret()
        if ended:
            self._session.emit(self._progress([trial.number for trial in ended], previous))

    def _estimate_regret(self) -> None:
        """Have the expected regret estimated, where a stopping rule asks for it and the store does not have it yet."""
        trial = trial_needing_regret_estimate(self._state.campaign, self._state.trials)
        if trial is not None:
            number = trial.number
            self._thread.begin(
                lambda: regret(self._planner), lambda done: self._session.emit(self._regret(number, done.result()))
            )

    def _regret(self, number: int, found: RegretEstimate | NoAnswer | None) -> Iterator[Event]:
        if isinstance(found, NoAnswer):
            yield Warned(found.why)
        elif found is not None:
            self._session.store.keep(REGRET, str(number), asdict(found))
            self._state.read_trial(number)
            yield RegretEstimated(number, found)

    def _outliers(self, found: dict[int, str] | NoAnswer) -> Iterator[Event]:
        """Keep and yield which trials are suspected outliers, where that is news."""
        if isinstance(found, NoAnswer):
            yield Warned(found.why)
            return
        changed = [t for t in self._state.trials if t.outlier != found.get(t.number, "")]
        if not changed:
            return
        self._session.store.set_outliers(found)
        for trial in changed:
            reason = found.get(trial.number, "")
            self._state.set_outlier(trial.number, reason)
            if bool(reason) != bool(trial.outlier):
                yield OutlierFlagged(trial.number, reason)

    def _posterior_best(self, leader: Leader | NoAnswer | None) -> Iterator[Event]:
        """Keep and yield the best measured candidate by the posterior, where it is news."""
        if leader is None:
            return
        if isinstance(leader, NoAnswer):
            yield Warned(leader.why)
            return
        store = self._session.store
        weighed = weights_version(a for a in store.amendments() if a.first is not None)
        news = (leader.found, weighed, leader.doubtful)
        if news != self._announced or store.posterior_best() is None:
            self._announced = news
            body = None if leader.found is None else asdict(leader.found)
            kept = {str(number): text for number, text in leader.doubtful.items()}
            store.keep(POSTERIOR, BEST, {"found": body, "weighed": weighed, "doubts": kept})
            yield PosteriorBestChanged(leader.found)

    def _retrained(self) -> list[tuple[str, str]]:
        if self._retraining is None:
            return []
        return self._retraining.advance(completed(self._state.trials))

    def _progress(self, numbers: Sequence[int], previous: CandidateResult | None) -> Iterator[Event]:
        """Yield what trials have changed about the best, or the front."""
        campaign, incumbent = self._state.campaign, self.best
        if wants_front(campaign):
            grown = front(campaign.build_objective(), self._state.trials)
            for number in numbers:
                if number in grown.numbers:
                    yield FrontGrew(number, grown)
        elif _shown(incumbent) != _shown(previous):
            yield BestChanged(incumbent)


def _shown(one: CandidateResult | None) -> object:
    """Return what is shown of the best candidate."""
    return None if one is None else (one.numbers, one.score)


def model_events(trial: int, found: Sequence[tuple[str, str]]) -> list[Event]:
    """Return what has changed about the models of metrics, with a trial, as events."""
    return [SurrogateChanged(trial, metric, text) for metric, text in found]
