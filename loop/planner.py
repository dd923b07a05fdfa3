"""The planner: suggest and ingest. What it knows is a list of trials, and that is rebuilt from the store."""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from campaigns.campaign import Campaign
from campaigns.costs import cost_of, duration_of
from campaigns.fidelity import FULL
from campaigns.values import Candidate, TrialState
from campaigns.warm_start import Source
from loop.acquisition import Choice, choose, explained
from loop.belief import Belief, History, Memories, believe
from loop.edition import Edition
from loop.failures import Failure, failures
from loop.fidelity import Ladder, Purchase, advice, leaning_belief, plan
from loop.health import HealthChange
from loop.lessons import learn_lessons
from loop.outlook import outlook
from loop.records import AGAIN, MODEL, OPERATOR, Alternative, Outlook, Proposal, TrialRecord
from loop.region import region
from loop.remeasure import again
from loop.scoring import Scorer
from loop.shortlist import SpaceExhaustedError
from loop.start import Start
from loop.trust import Trust
from loop.words import metric_text
from surrogates.posterior.encoder import Encoder
from surrogates.posterior.outliers import FEWEST

_FEWEST = 3  # measurements before a model chooses


Suggestion = tuple[int, Candidate, Proposal]
"""Number of a new trial, its candidate, and why it was chosen."""


class _Node:
    """Chooses the next candidate, and remembers why."""

    def __init__(self, scorer: Scorer, sources: Sequence[Source]) -> None:
        self._scorer, self._sources = scorer, sources
        self._lessons = learn_lessons(scorer, sources)
        self.ladder = Ladder(scorer)
        self._plan = plan(scorer.campaign)
        self._start = Start(scorer, advice(scorer, self._lessons))
        self._believed: tuple[tuple[int, ...], tuple[int, ...], Belief] | None = None
        self._heeding: tuple[tuple[Failure, ...], Belief] | None = None
        self.failed: list[TrialRecord] = []
        self._memories: Memories = {}
        self.trust = Trust(scorer)
        self._history = History((), {}, (), frozenset())
        self._pending: tuple[int, ...] = ()
        self._number = 0
        self.proposal = Proposal("space-filling")

    def look(self, trials: Sequence[Candidate], pending: Collection[int]) -> None:
        """Take note of all trials in the order of their numbers, and of which are under way."""
        self._pending, self._number = tuple(sorted(pending)), len(trials)
        self._history = replace(
            self._measured(),
            pending=[trials[i] for i in self._pending if self.ladder.full(i)],
            seen=frozenset(c.key() for i, c in enumerate(trials) if self.ladder.full(i)),
        )

    def candidate(self) -> Candidate:
        """Return the next candidate."""
        campaign = self._scorer.campaign
        if self._number < len(self._plan) or len(self._learnt_from) < _FEWEST:
            return self._begin(self._plan[self._number] if self._number < len(self._plan) else FULL)
        belief, seed = self._heeding_failures(), _seed(campaign.seed, self._number)
        history = replace(self._history, region=region(self._scorer, belief.outcomes, self.trust.trials))
        choice = choose(belief, history, seed)
        found = again(belief, self._history, choice.candidate, seed)
        if found is not None:
            others = (Alternative(choice.candidate, choice.acquisition), *choice.alternatives)
            choice = explained(belief, self._history.done[found.place], math.log(found.gain), others)
            reason = f"trial {self._learnt_from[found.place]} once more: {found.why}"
            self.proposal = replace(self._explained(choice), generator=AGAIN, reason=reason)
            return choice.candidate
        self.proposal = replace(self._explained(choice), reason=history.region.text if history.region else "")
        bought = Purchase(belief, choice.considered).cheaper(self.ladder) if campaign.fidelities else None
        if bought is None:
            return choice.candidate
        self.proposal = replace(self.proposal, fidelity=bought[0], predictions={}, score=None, feasibility=None)
        return bought[1]

    def _begin(self, fidelity: str) -> Candidate:
        """Return a candidate of the start, advised by sources or filling the space."""
        known = self._history.seen if fidelity == FULL else self.ladder.seen(fidelity)
        advised = self._advising().advised(len(known), self._history, known) if fidelity == FULL else None
        generator = "space-filling" if advised is None else "sources"
        candidate = advised or self._start.candidate(self._number, known)
        if candidate is None:
            raise SpaceExhaustedError("every candidate has been proposed")
        self.proposal = Proposal(generator, learnt_from=self._learnt, pending=self._pending, fidelity=fidelity)
        return candidate

    def _advising(self) -> Start:
        """Return the start, advised by cheap measurements where there are any."""
        if not self._scorer.campaign.fidelities:
            return self._start
        return replace(self._start, advice=advice(self._scorer, self.ladder.lessons(self._scorer)))

    @property
    def _learnt(self) -> tuple[int, ...]:
        """The numbers of all trials that are learnt from, those at full fidelity first."""
        return (*self._learnt_from, *self.ladder.completed)

    def belief(self) -> Belief:
        """Return what is believed after the completed trials; it is learnt once for each set of them."""
        if self._believed is None or self._believed[:2] != (self._learnt_from, self.ladder.completed):
            cheap = self.ladder.lessons(self._scorer)
            lessons = {name: (*self._lessons[name], *cheap[name]) for name in self._lessons}
            belief = believe(self._scorer, self._measured(), self.trust.care(), self._memories, lessons)
            self._believed = (self._learnt_from, self.ladder.completed, leaning_belief(belief, cheap))
        return self._believed[2]

    def _heeding_failures(self) -> Belief:
        """Return what is believed, with what failures teach; it is learnt once for each set of them."""
        failed, belief = failures(self._scorer.campaign, self.failed), self.belief()
        if not failed:
            return belief
        known = self._heeding
        if known is None or known[0] != failed or known[1].models is not belief.models:
            self._heeding = known = (failed, belief.heeding(failed))
        return known[1]

    def doubts(self) -> dict[int, str]:
        """Return the completed trials with a measurement that is not believed, each with the reason."""
        if len(self._learnt_from) < FEWEST:
            return {}
        found: dict[int, str] = {}
        for name, doubts in self.belief().doubts.items():
            for place, doubt in doubts.items():
                trial = self.trust.trials[place]
                words = f"{name} {metric_text(trial.metrics[name])}, but {doubt.text}"
                found[trial.number] = "; ".join([*filter(None, [found.get(trial.number)]), words])
        return found

    def outlook(self, over: Collection[Candidate]) -> Outlook | None:
        """Return what is left to hope for after the completed trials, whatever is under way.

        Args:
            over: the candidates of all trials that have ended.
        """
        trials = self.trust.trials
        if len(trials) < _FEWEST:
            return None
        history = replace(self._measured(), seen=frozenset(c.key() for c in over))
        return outlook(self._heeding_failures(), history, trials, _seed(self._scorer.campaign.seed, len(trials)))

    def adopt(self, metric: str, prior: NDArray[np.float64]) -> None:
        """Use other values, n, of a metric's prior from now on."""
        encoder = self._scorer.encoder
        assert encoder.materials is not None  # noqa: S101 - only a campaign with a pool has priors
        table = replace(encoder.materials, numbers={**encoder.materials.numbers, f"prior:{metric}": prior})
        self._scorer = Scorer(self._scorer.campaign, Encoder(encoder.space, table))
        self._believed = None
        self._memories.pop(metric, None)
        self._lessons = learn_lessons(self._scorer, self._sources)

    def amend(self, now: Edition) -> None:
        """Go by an amended campaign from now on.

        The models learn metrics: what they have learnt stays, unless there is more in the outline to tell apart.
        """
        encoder, believed = self._scorer.encoder, self._believed
        wider = now.outline != encoder.space
        self._scorer = Scorer(now.campaign, Encoder(now.outline, encoder.materials) if wider else encoder)
        self._believed = self._heeding = None
        if wider:
            self._memories = {}
            self._lessons = learn_lessons(self._scorer, self._sources)
            self.trust.amend(now.outline)
        elif believed is not None:
            self._believed = (*believed[:2], replace(believed[2], scorer=self._scorer, memory={}))
        self._start = Start(self._scorer, advice(self._scorer, self._lessons), now.first)

    @property
    def _learnt_from(self) -> tuple[int, ...]:
        return self.trust.completed

    def _measured(self) -> History:
        """Return what was measured, in the order in which it came."""
        trials = self.trust.trials
        metrics = {name: [t.metrics[name] for t in trials] for name in self._scorer.campaign.measured}
        return History([t.candidate for t in trials], metrics, (), frozenset())

    def _explained(self, choice: Choice) -> Proposal:
        return Proposal(
            MODEL,
            acquisition=choice.acquisition,
            predictions=choice.predictions,
            score=choice.score,
            feasibility=choice.feasibility,
            success=choice.success,
            learnt_from=self._learnt,
            pending=self._pending,
            models={name: {**model, "health": self.trust.describe(name)} for name, model in choice.models.items()},
            alternatives=choice.alternatives,
        )


class Planner:
    """Suggests candidates and learns from trials.

    Args:
        campaign: space, metrics, objective and seed.
        encoder: layout of the rows, with the pool's table where there is a pool.
        sources: what earlier campaigns measured.

    Raises:
        CampaignError: a source has too few measurements of what this campaign can choose.
    """

    def __init__(self, campaign: Campaign, encoder: Encoder, sources: Sequence[Source] = ()) -> None:
        self._campaign = campaign
        self._node = _Node(Scorer(campaign, encoder), sources)
        self._trials: list[Candidate] = []
        self._pending: set[int] = set()

    def amend(self, now: Edition) -> None:
        """Go by an amended campaign from now on."""
        self._campaign = now.campaign
        self._node.amend(now)

    def reopen(self, number: int) -> None:
        """Take a trial that had ended for one under way again."""
        self._pending.add(number)

    def take(self, candidate: Candidate, reason: str) -> Suggestion:
        """Return the number of a new trial of a candidate that somebody asked for, as ``suggest`` does."""
        number = len(self._trials)
        self._add(number, candidate, FULL)
        return number, candidate, _priced(self._campaign, candidate, Proposal(OPERATOR, reason=reason))

    def suggest(self) -> Suggestion:
        """Return the number of a new trial, its candidate, and why it was chosen.

        Raises:
            SpaceExhaustedError: no candidate is left.
        """
        self._node.look(self._trials, self._pending)
        found, proposal, number = self._node.candidate(), self._node.proposal, len(self._trials)
        candidate = replace(found, parameters=self._campaign.space.present(found.parameters))
        self._add(number, candidate, proposal.fidelity)
        return number, candidate, _priced(self._campaign, candidate, proposal)

    def belief(self) -> Belief:
        """Return what the latest suggestion of a model believed; at least one must have been made."""
        return self._node.belief()

    def doubts(self) -> dict[int, str]:
        """Return the completed trials with a measurement that is not believed as of now, each with the reason."""
        return self._node.doubts()

    def outlook(self) -> Outlook | None:
        """Return what is left to hope for after the completed trials; None before there is a model to ask."""
        full = self._node.ladder.full
        return self._node.outlook([c for i, c in enumerate(self._trials) if i not in self._pending and full(i)])

    def doubted(self, metric: str, trials: Sequence[TrialRecord]) -> frozenset[int]:
        """Return the numbers of those completed trials, in order, whose measurement of a metric the others contradict.

        It depends on these trials alone.
        """
        return self._node.trust.doubted(metric, trials)

    def adopt(self, metric: str, prior: NDArray[np.float64]) -> None:
        """Use other values, n, of a metric's prior from now on, in the metric's unit."""
        self._node.adopt(metric, prior)

    def ingest(self, trial: TrialRecord) -> list[tuple[str, HealthChange]]:
        """Learn how a suggested trial ended; return by metric whose model is trusted less, or more, from now on."""
        self._close(trial)
        if trial.state is not TrialState.COMPLETED:
            return []
        if trial.fidelity == FULL:
            return self._node.trust.learn(trial)
        self._node.ladder.learn(trial)
        return []

    def recall(self, trials: Sequence[TrialRecord]) -> None:
        """Learn all trials of the store, in the order of their numbers."""
        for trial in trials:
            self._add(trial.number, trial.candidate, trial.fidelity)
        ended = sorted((t for t in trials if t.state.ended), key=lambda t: (t.completed_order or 0, t.number))
        for trial in ended:
            self._close(trial)
        completed = [t for t in ended if t.state is TrialState.COMPLETED]
        self._node.trust.recall([t for t in completed if t.fidelity == FULL])
        for trial in completed:
            if trial.fidelity != FULL:
                self._node.ladder.learn(trial)

    def _add(self, number: int, candidate: Candidate, fidelity: str) -> None:
        """Note a trial that is under way."""
        self._trials.append(candidate)
        self._pending.add(number)
        self._node.ladder.propose(number, fidelity, candidate)

    def _close(self, trial: TrialRecord) -> None:
        """Note that a trial ended."""
        self._pending.discard(trial.number)
        if trial.state is TrialState.FAILED:
            self._node.failed.append(trial)


def _priced(campaign: Campaign, candidate: Candidate, proposal: Proposal) -> Proposal:
    """Return a proposal with what it is expected to cost, and how long it is expected to take."""
    if proposal.fidelity != FULL:
        return replace(proposal, cost=campaign.cost_of(proposal.fidelity))
    duration = duration_of(campaign, candidate.parameters)
    return replace(proposal, cost=cost_of(campaign, candidate.parameters), duration=duration or None)


def _seed(seed: int, number: int) -> int:
    """Return the seed of one choice: a function of campaign seed and trial number alone."""
    return zlib.crc32(f"{seed}/{number}".encode())
