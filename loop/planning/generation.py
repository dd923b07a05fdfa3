"""Athanor's own generation strategy of Ax: its nodes, and whose turn it is."""

from __future__ import annotations

from ax.core.data import Data
from ax.core.experiment import Experiment
from ax.core.types import TParameterization
from ax.generation_strategy.external_generation_node import ExternalGenerationNode
from ax.generation_strategy.generation_node import GenerationNode
from ax.generation_strategy.generation_strategy import GenerationStrategy
from ax.generation_strategy.transition_criterion import TransitionCriterion

from loop.planning.experiment import CampaignExperiment
from loop.planning.model_fitter import ModelFitter
from loop.planning.recommender import NODES, Recommendation, Recommender


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
        """Return the parameters of the next candidate, in whose choice what is pending was taken into account."""
        return self._strategy.parameters()


class Turn(TransitionCriterion):
    """Moves on to a node as soon as it is its turn."""

    def __init__(self, transition_to: str, strategy: OwnStrategy) -> None:
        super().__init__(transition_to)
        self._strategy = strategy

    def is_met(self, experiment: Experiment, curr_node: GenerationNode) -> bool:  # noqa: ARG002
        """Return whether the next candidate comes by that node."""
        return self._strategy.next[1].node == self.transition_to
