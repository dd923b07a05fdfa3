"""The planner: suggest and ingest, with Ax's Client as the keeper of the experiment. The one file that knows Ax.

Our own generation sits in an Ax generation node, because Ax's Client has neither candidate pools nor nonlinear
objectives of several metrics. The planner's state is Ax's experiment, and that is rebuilt from the store.
"""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from ax.core.data import Data
from ax.core.experiment import Experiment
from ax.core.trial_status import TrialStatus
from ax.generation_strategy.external_generation_node import ExternalGenerationNode
from ax.generation_strategy.generation_strategy import GenerationStrategy
from ax.utils.common.logger import set_ax_logger_levels
from numpy.typing import NDArray

from campaigns.campaign import Campaign
from campaigns.costs import cost_of, duration_of
from campaigns.fidelity import FULL
from campaigns.parameters import CategoricalConfig, FloatConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from campaigns.space import SpaceConfig
from campaigns.values import Candidate, Scalar, TrialState
from campaigns.warm_start import Source
from loop.acquisition import Choice, choose, explained
from loop.belief import Belief, History, Memories, believe
from loop.failures import Failure, failures
from loop.fidelity import Ladder, Purchase, advice, leaning_belief, plan
from loop.health import HealthChange
from loop.lessons import learn_lessons
from loop.records import Alternative, Proposal, TrialRecord
from loop.remeasure import again
from loop.scoring import Scorer
from loop.shortlist import SpaceExhaustedError
from loop.start import Start
from loop.trust import Trust
from loop.words import metric_text
from surrogates.posterior.encoder import Encoder
from surrogates.posterior.outliers import FEWEST

_MATERIAL = "material"
_SCORE = "score"
_FEWEST = 3  # measurements before a model chooses

set_ax_logger_levels(logging.WARNING)


class _Node(ExternalGenerationNode):
    """Ax's way to ask us for the next candidate."""

    def __init__(self, scorer: Scorer, sources: Sequence[Source]) -> None:
        super().__init__(name="athanor", should_deduplicate=False)
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

    def update_generator_state(self, experiment: Experiment, data: Data) -> None:  # noqa: ARG002
        """Take what is under way, and what was ever proposed, out of Ax's experiment; trust knows what was measured."""
        running = experiment.trial_indices_by_status[TrialStatus.RUNNING]
        self._pending = tuple(sorted(running))
        self._number = len(experiment.trials)
        at = {i: self.candidate(t.arms[0].parameters) for i, t in experiment.trials.items()}
        self._history = replace(
            self._measured(),
            pending=[at[i] for i in self._pending if self.ladder.full(i)],
            seen=frozenset(c.key() for i, c in at.items() if self.ladder.full(i)),
        )

    def get_next_candidate(self, pending_parameters: list[dict[str, Any]]) -> dict[str, Scalar]:  # noqa: ARG002
        """Return the parameters of the next candidate; what is pending is known from the experiment."""
        campaign = self._scorer.campaign
        if self._number < len(self._plan) or len(self._learnt_from) < _FEWEST:
            return self._begin(self._plan[self._number] if self._number < len(self._plan) else FULL)
        belief, seed = self._heeding_failures(), _seed(campaign.seed, self._number)
        choice = choose(belief, self._history, seed)
        found = again(belief, self._history, choice.candidate, seed)
        if found is not None:
            others = (Alternative(choice.candidate, choice.acquisition), *choice.alternatives)
            choice = explained(belief, self._history.done[found.place], math.log(found.gain), others)
            reason = f"trial {self._learnt_from[found.place]} once more: {found.why}"
            self.proposal = replace(self._explained(choice), generator="re-measure", reason=reason)
            return self.parameters(choice.candidate)
        self.proposal = self._explained(choice)
        bought = Purchase(belief, choice.considered).cheaper(self.ladder) if campaign.fidelities else None
        if bought is None:
            return self.parameters(choice.candidate)
        self.proposal = replace(self.proposal, fidelity=bought[0], predictions={}, score=None, feasibility=None)
        return self.parameters(bought[1])

    def _begin(self, fidelity: str) -> dict[str, Scalar]:
        """Return a candidate of the start, advised by sources or filling the space."""
        known = self._history.seen if fidelity == FULL else self.ladder.seen(fidelity)
        advised = self._advising().advised(len(known), self._history, known) if fidelity == FULL else None
        generator = "space-filling" if advised is None else "sources"
        candidate = advised or self._start.candidate(self._number, known)
        if candidate is None:
            raise SpaceExhaustedError("every candidate has been proposed")
        self.proposal = Proposal(generator, learnt_from=self._learnt, pending=self._pending, fidelity=fidelity)
        return self.parameters(candidate)

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

    def adopt(self, metric: str, prior: NDArray[np.float64]) -> None:
        """Use other values, n, of a metric's prior from now on."""
        encoder = self._scorer.encoder
        assert encoder.materials is not None  # noqa: S101 - only a campaign with a pool has priors
        table = replace(encoder.materials, numbers={**encoder.materials.numbers, f"prior:{metric}": prior})
        self._scorer = Scorer(self._scorer.campaign, Encoder(encoder.space, table))
        self._believed = None
        self._memories.pop(metric, None)
        self._lessons = learn_lessons(self._scorer, self._sources)

    def parameters(self, candidate: Candidate) -> dict[str, Scalar]:
        """Return a candidate as Ax knows it: a material by its place in the pool, and every parameter with a value."""
        place = {} if candidate.material is None else {_MATERIAL: self._scorer.encoder.place(candidate.material)}
        return _stand_ins(self._scorer.campaign.space) | dict(candidate.parameters) | place

    def candidate(self, parameters: Mapping[str, Any]) -> Candidate:
        """Return the candidate that Ax knows by these parameters."""
        rest = self._scorer.campaign.space.present(parameters)
        table = self._scorer.encoder.materials
        return Candidate(rest, table.ids[parameters[_MATERIAL]] if table else None)

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
            "model",
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
        self._client = Client(random_seed=campaign.seed)
        materials = len(encoder.materials.ids) if encoder.materials else 0
        self._client.configure_experiment(parameters=_ax_parameters(campaign, materials), name=campaign.name)
        self._client.configure_optimization(objective=_SCORE)
        self._client.configure_tracking_metrics(list(campaign.measured))
        self._client.set_generation_strategy(GenerationStrategy(nodes=[self._node], name="athanor"))

    def suggest(self) -> tuple[int, Candidate, Proposal]:
        """Return the number of a new trial, its candidate, and why it was chosen.

        Raises:
            SpaceExhaustedError: no candidate is left.
        """
        ((number, parameters),) = self._client.get_next_trials(max_trials=1).items()
        candidate, proposal = self._node.candidate(parameters), self._node.proposal
        self._node.ladder.propose(number, proposal.fidelity, candidate)
        return number, candidate, _priced(self._campaign, candidate, proposal)

    def belief(self) -> Belief:
        """Return what the latest suggestion of a model believed; at least one must have been made."""
        return self._node.belief()

    def doubts(self) -> dict[int, str]:
        """Return the completed trials with a measurement that is not believed as of now, each with the reason."""
        return self._node.doubts()

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
        """Rebuild the experiment from all trials of the store, in the order of their numbers."""
        for trial in trials:
            self._client.attach_trial(parameters=self._node.parameters(trial.candidate))
            self._node.ladder.propose(trial.number, trial.fidelity, trial.candidate)
        ended = sorted((t for t in trials if t.state.ended), key=lambda t: (t.completed_order or 0, t.number))
        for trial in ended:
            self._close(trial)
        completed = [t for t in ended if t.state is TrialState.COMPLETED]
        self._node.trust.recall([t for t in completed if t.fidelity == FULL])
        for trial in completed:
            if trial.fidelity != FULL:
                self._node.ladder.learn(trial)

    def _close(self, trial: TrialRecord) -> None:
        """Tell Ax how a trial ended."""
        match trial.state:
            case TrialState.COMPLETED if trial.fidelity == FULL:
                self._client.complete_trial(trial.number, raw_data=self._raw_data(trial))
            case TrialState.FAILED:
                self._node.failed.append(trial)
                self._client.mark_trial_failed(trial.number, failed_reason=trial.reason)
            case _:
                self._client.mark_trial_abandoned(trial.number)

    def _raw_data(self, trial: TrialRecord) -> dict[str, tuple[float, float]]:
        measured = {name: (trial.metrics[name].value, trial.metrics[name].sd) for name in self._campaign.measured}
        return measured | {_SCORE: (trial.score or 0.0, trial.score_sd or 0.0)}


def _priced(campaign: Campaign, candidate: Candidate, proposal: Proposal) -> Proposal:
    """Return a proposal with what it is expected to cost, and how long it is expected to take."""
    if proposal.fidelity != FULL:
        return replace(proposal, cost=campaign.cost_of(proposal.fidelity))
    duration = duration_of(campaign, candidate.parameters)
    return replace(proposal, cost=cost_of(campaign, candidate.parameters), duration=duration or None)


def _seed(seed: int, number: int) -> int:
    """Return the seed of one choice: a function of campaign seed and trial number alone."""
    return zlib.crc32(f"{seed}/{number}".encode())


def _stand_ins(space: SpaceConfig) -> dict[str, Scalar]:
    """Return a value for each parameter that does not always apply."""
    return {name: parameter.at(0.0) for name, parameter in space.parameters.items() if parameter.when}


def _ax_parameters(campaign: Campaign, materials: int) -> list[RangeParameterConfig | ChoiceParameterConfig]:
    found = [_ax_parameter(name, parameter) for name, parameter in campaign.space.all_parameters.items()]
    if materials:  # a range costs the same for 100,000 materials, a choice does not; Ax refuses a range of one number
        found.append(RangeParameterConfig(name=_MATERIAL, bounds=(0, max(materials - 1, 1)), parameter_type="int"))
    return found


def _ax_parameter(name: str, parameter: ParameterConfig) -> RangeParameterConfig | ChoiceParameterConfig:
    match parameter:
        case FloatConfig(low=low, high=high, scale=scale):
            return RangeParameterConfig(name=name, bounds=(low, high), parameter_type="float", scaling=scale)
        case IntegerConfig(low=low, high=high):
            return RangeParameterConfig(name=name, bounds=(int(low), int(high)), parameter_type="int")
        case OrdinalConfig(levels=levels):
            return ChoiceParameterConfig(name=name, values=list(levels), parameter_type="float", is_ordered=True)
        case CategoricalConfig(levels=levels):
            return ChoiceParameterConfig(name=name, values=list(levels), parameter_type="str", is_ordered=False)
