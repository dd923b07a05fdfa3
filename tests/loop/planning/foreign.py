"""Generation strategies of a user's own, good and bad, which campaigns of the tests name."""

from __future__ import annotations

from typing import Any

from ax.adapter.registry import Generators
from ax.core.data import Data
from ax.core.experiment import Experiment
from ax.core.types import TParameterization
from ax.generation_strategy.external_generation_node import ExternalGenerationNode
from ax.generation_strategy.generation_node import GenerationNode
from ax.generation_strategy.generation_strategy import GenerationStrategy
from ax.generation_strategy.generator_spec import GeneratorSpec
from ax.generation_strategy.transition_criterion import MinTrials


class Diagonal(ExternalGenerationNode):
    """Walks along the diagonal of the unit box, a step for each trial."""

    step, first = 0.1, 0.05

    def update_generator_state(self, experiment: Experiment, data: Data) -> None:  # noqa: ARG002
        """Take note of how many trials there are."""
        self.count, self.names = len(experiment.trials), list(experiment.search_space.parameters)

    def get_next_candidate(self, pending_parameters: list[TParameterization]) -> TParameterization:  # noqa: ARG002
        """Return the next step."""
        return dict.fromkeys(self.names, self.first + self.step * self.count)


class Still(Diagonal):
    """Stays where it is."""

    step = 0.0


class Far(Diagonal):
    """Begins outside of the box."""

    first = 2.0


class Broken(Diagonal):
    """Has a bug."""

    def get_next_candidate(self, pending_parameters: list[TParameterization]) -> TParameterization:  # noqa: ARG002
        """Divide by zero."""
        return {"x0": 1 / 0}


def sobol(**settings: Any) -> GenerationNode:
    """Return a node of Ax's Sobol points."""
    return GenerationNode("Sobol", [GeneratorSpec(Generators.SOBOL, generator_kwargs={"seed": 1})], **settings)


def two_nodes(_experiment: Experiment) -> GenerationStrategy:
    """Return two Sobol points, then the diagonal."""
    return GenerationStrategy(nodes=[sobol(transition_criteria=[MinTrials(2, "Diagonal")]), Diagonal("Diagonal")])


def three_trials(_experiment: Experiment) -> GenerationStrategy:
    """Return a strategy that ends after three trials."""
    return GenerationStrategy(nodes=[sobol(transition_criteria=[MinTrials(3, "Sobol")])])


def still(_experiment: Experiment) -> GenerationStrategy:
    """Return a node that repeats itself."""
    return GenerationStrategy(nodes=[Still("Still", should_deduplicate=False)])


def far(_experiment: Experiment) -> GenerationStrategy:
    """Return a node that leaves the space."""
    return GenerationStrategy(nodes=[Far("Far")])


def broken(_experiment: Experiment) -> GenerationStrategy:
    """Return a node with a bug."""
    return GenerationStrategy(nodes=[Broken("Broken")])


def wrong(_experiment: Experiment) -> GenerationStrategy:
    """Return what is no strategy."""
    given: Any = "a strategy"
    return given
