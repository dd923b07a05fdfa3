"""Generation strategies of Ax: Athanor's own, and one that a campaign names."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

import ax
from ax.api.utils.generation_strategy_dispatch import choose_generation_strategy
from ax.api.utils.structs import GenerationStrategyDispatchStruct
from ax.core.data import Data
from ax.core.experiment import Experiment
from ax.core.generator_run import GeneratorRun
from ax.core.types import TParameterization
from ax.exceptions.core import DataRequiredError, SearchSpaceExhausted
from ax.exceptions.generation_strategy import (
    GenerationStrategyCompleted,
    GenerationStrategyRepeatedPoints,
    MaxParallelismReachedException,
)
from ax.generation_strategy.external_generation_node import ExternalGenerationNode
from ax.generation_strategy.generation_node import GenerationNode
from ax.generation_strategy.generation_strategy import GenerationStrategy
from ax.generation_strategy.transition_criterion import TransitionCriterion
from ax.utils.common.random import with_rng_seed

from campaigns.amendments import allowed_text
from campaigns.errors import AthanorError, CampaignError, PlannerError, Problem, called
from campaigns.fidelity import FULL
from campaigns.spaces.space import SpaceConfig
from campaigns.user_code.dotted_paths import Use
from campaigns.user_code.loading import load_object
from campaigns.values import Candidate
from loop.core.formatting import candidate_text
from loop.core.proposals import STRATEGY, Proposal
from loop.planning.experiment import CampaignExperiment
from loop.planning.model_fitter import ModelFitter, seed_of
from loop.planning.recommender import NODES, Recommendation, Recommender
from loop.planning.shortlist import SpaceExhaustedError

AX = "ax"
_WHERE = "planner.strategy"
_AX = Path(ax.__file__).parent
_TRIES = 5
"""Proposals of a foreign strategy, each with another seed, of which one must be allowed; not tuned: as many as Ax tries
for a point that is new (``ax.generation_strategy.generation_node.MAX_GEN_ATTEMPTS``)."""
_ENDED = (GenerationStrategyCompleted, GenerationStrategyRepeatedPoints, SearchSpaceExhausted)
_WAITING = (DataRequiredError, MaxParallelismReachedException)


class OwnStrategy:
    """Athanor's own generation strategy: initial design, prior data, BoTorch models, replication.

    Its nodes share the recommender, whose rules say whose turn it is.

    Args:
        models: fitted to the trials.
        experiment: what was proposed, and how it ended.
    """

    def __init__(self, models: ModelFitter, experiment: CampaignExperiment) -> None:
        self._models, self._experiment = models, experiment
        self._recommender = Recommender(models, experiment)
        self._next: Recommendation | None = None
        self.ax = GenerationStrategy(name="Athanor", nodes=[RecommenderNode(name, self) for name in NODES.values()])

    @property
    def next(self) -> Recommendation:
        """What is recommended for the next trial."""
        assert self._next is not None  # noqa: S101 - nodes are asked within recommend alone
        return self._next

    def amend(self, first: int) -> None:
        """Go by an amended campaign, which holds from the trial with number ``first``."""
        self._recommender.amend(first)

    def recommend(self) -> Recommendation:
        """Return the next candidate, and why it was chosen.

        Raises:
            SpaceExhaustedError: no candidate is left.
        """
        self._next = self._recommender.recommend()
        if self._next[1].modelled:  # so that there is a posterior, which need not be worked out for this
            self._experiment.flag_outliers(self._models.outliers())
        self.ax.experiment = self._experiment.ax
        self.ax.current_generator_run_limit()  # moves on to the node whose turn it is
        # GenerationStrategy.gen works out all pending points once more, which the recommender knows.
        self.ax.current_node.gen(experiment=self._experiment.ax, data=Data(), pending_observations=None, n=1)
        return self._next

    def parameters(self) -> TParameterization:
        """Return the parameters of Ax of the next candidate."""
        return self._experiment.parameters_of(self.next[0])


class RecommenderNode(ExternalGenerationNode):
    """A node of Athanor's own strategy.

    Args:
        name: one of ``NODES``.
        strategy: knows what is recommended, and so whose turn it is.
    """

    def __init__(self, name: str, strategy: OwnStrategy) -> None:
        others = [other for other in NODES.values() if other != name]
        turns = [Turn(other, strategy) for other in others]
        super().__init__(name, should_deduplicate=False, transition_criteria=turns)
        self._strategy = strategy

    def update_generator_state(self, experiment: Experiment, data: Data) -> None:
        """Do nothing: the recommender asks the models, which learn whenever a trial ends."""

    def get_next_candidate(self, pending_parameters: list[TParameterization]) -> TParameterization:  # noqa: ARG002
        """Return the parameters of the next candidate; what is pending is known."""
        return self._strategy.parameters()


class Turn(TransitionCriterion):
    """Moves on to a node as soon as it is its turn."""

    def __init__(self, transition_to: str, strategy: OwnStrategy) -> None:
        super().__init__(transition_to)
        self._strategy = strategy

    def is_met(self, experiment: Experiment, curr_node: GenerationNode) -> bool:  # noqa: ARG002
        """Return whether the next candidate comes by that node."""
        return self._strategy.next[1].node == self.transition_to


class ForeignStrategy:
    """A generation strategy that a campaign names: Ax's own, or a user's.

    It is made anew for each suggestion and told its earlier generator runs. So it is a function of the store, and a
    campaign that was killed goes on as one that was not. What it proposes is checked before anything is queued.

    Args:
        models: fitted to the trials; they say which are suspected outliers.
        experiment: what was proposed, and how it ended.

    Raises:
        CampaignError: the strategy cannot be loaded.
    """

    def __init__(self, models: ModelFitter, experiment: CampaignExperiment) -> None:
        self._models, self._experiment = models, experiment
        self._path = str(models.scorer.campaign.planner.strategy)
        self._make = self._default if self._path == AX else load_object(self._path, _WHERE, Use.STRATEGY)

    def amend(self, first: int) -> None:
        """Do nothing: the experiment holds the space in force."""

    def recommend(self) -> Recommendation:
        """Return the next candidate, with the node that proposed it.

        Raises:
            SpaceExhaustedError: the strategy has come to its end, or waits for measurements.
            PlannerError: it fails, or proposes nothing that is allowed.
        """
        self._experiment.flag_outliers(self._models.outliers())
        self._experiment.rebuild()  # so that the order of the data does not tell how a session came to know them
        strategy, refusals = self._restored(), []
        for attempt in range(_TRIES):
            with with_rng_seed(seed_of(self._models.scorer.campaign.seed, len(self._experiment), attempt)):
                run = self._generated(strategy)
            candidate = self._experiment.candidate_of(run.arms[0].parameters)
            refusal = self._refusal(candidate)
            if not refusal:
                return candidate, self._proposal(run)
            refusals.append(f"node {_node(run)} proposed {self._shown(candidate)}, {refusal}")
        told = "; ".join(dict.fromkeys(refusals))
        raise PlannerError(
            f"{_WHERE}: {self._path} proposes nothing that is allowed: {told}; correct the strategy, or remove it from "
            "the campaign file, and go on with 'athanor run'"
        )

    def _restored(self) -> GenerationStrategy:
        """Return the strategy, at the node of its latest generator run, as Ax restores one from its storage."""
        given = called(self._make, self._path, _WHERE, self._experiment.ax)
        strategy = given if isinstance(given, GenerationStrategy) else _of_nodes(given, self._path)
        runs = [run for trial in self._experiment.ax.trials.values() for run in trial.generator_runs]
        strategy._generator_runs = [run for run in runs if _node(run) in strategy.nodes_by_name]
        if strategy._generator_runs:
            strategy._curr = strategy.nodes_by_name[_node(strategy._generator_runs[-1])]
        return strategy

    def _generated(self, strategy: GenerationStrategy) -> GeneratorRun:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Ax, BoTorch and SciPy about each other
                return strategy.gen_single_trial(self._experiment.ax)
        except _ENDED as error:
            raise SpaceExhaustedError(f"the strategy has ended: {' '.join(str(error).split())}") from error
        except _WAITING as error:
            raise SpaceExhaustedError(f"the strategy waits for measurements: {error}") from error
        except AthanorError:
            raise
        except Exception as error:
            node = strategy.current_node_name
            raise PlannerError(f"{_WHERE}: node {node} of {self._path} raised {_raised(error)}") from error

    def _refusal(self, candidate: Candidate) -> str:
        """Return why a candidate is not queued; empty if it is."""
        space = self._models.scorer.campaign.space
        if not space.contains(candidate):
            return f"outside of the space; allowed: {_allowed(space)}"
        if candidate.key() in self._experiment.seen(FULL):
            return "which was proposed before; allowed: a new candidate"
        return ""

    def _shown(self, candidate: Candidate) -> str:
        parameters = self._models.scorer.campaign.space.all_parameters.items()
        return candidate_text(candidate, {name: parameter.unit for name, parameter in parameters})

    def _proposal(self, run: GeneratorRun) -> Proposal:
        learnt = tuple(sorted(t.index for t in self._experiment.ax.completed_trials))
        return Proposal(STRATEGY, learnt_from=learnt, pending=self._experiment.under_way, node=_node(run))

    def _default(self, _experiment: Experiment) -> GenerationStrategy:
        """Return what Ax's client takes by default, with the campaign's number of initial trials, and its seed."""
        campaign = self._models.scorer.campaign
        struct = GenerationStrategyDispatchStruct(
            initialization_budget=campaign.planner.initial, initialization_random_seed=campaign.seed
        )
        return choose_generation_strategy(struct)


def _of_nodes(given: object, path: str) -> GenerationStrategy:
    """Return a strategy of the nodes that a user's function gives.

    Raises:
        CampaignError: it gives something else.
    """
    nodes = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    if nodes and all(isinstance(node, GenerationNode) for node in nodes):
        return called(GenerationStrategy, path, _WHERE, nodes=nodes)
    allowed = "an ax.generation_strategy.generation_strategy:GenerationStrategy, or a list of its nodes"
    raise CampaignError([Problem(_WHERE, f"{path} gave a {type(given).__name__}; allowed: {allowed}")])


def _raised(error: Exception) -> str:
    """Return what an error says, with the last line outside of Ax that it came through: the user's, if there is one."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is ours
    theirs = [frame for frame in frames if _AX not in Path(frame.filename).parents]
    frame = (theirs or frames)[-1]
    return f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno}); correct it there"


def _node(run: GeneratorRun) -> str:
    return str(run._generation_node_name)


def _allowed(space: SpaceConfig) -> str:
    """Return what a space allows, in words."""
    bounds = [f"{name}: {allowed_text(parameter)}" for name, parameter in space.all_parameters.items()]
    totals = [f"total of {name}: {mixture.total:g}" for name, mixture in space.mixtures.items()]
    return "; ".join([*bounds, *totals, *space.constraints, *(["a row of the table"] if space.rows else [])])
