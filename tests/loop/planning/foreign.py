"""Generation strategies of a user's own, good and bad, which campaigns of the tests name."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from ax.adapter.registry import Generators
from ax.core.arm import Arm
from ax.core.data import Data
from ax.core.experiment import Experiment
from ax.core.generator_run import GeneratorRun
from ax.core.types import TParameterization
from ax.generation_strategy.external_generation_node import ExternalGenerationNode
from ax.generation_strategy.generation_node import GenerationNode
from ax.generation_strategy.generation_strategy import GenerationStrategy
from ax.generation_strategy.generator_spec import GeneratorSpec
from ax.generation_strategy.transition_criterion import AutoTransitionAfterGen, MinTrials


class Diagonal(ExternalGenerationNode):
    """Walks along the diagonal of the unit box, a step for each trial."""

    step, first = 0.1, 0.05

    def update_generator_state(self, experiment: Experiment, data: Data) -> None:  # noqa: ARG002
        """Take note of how many trials there are."""
        self.count, self.names, self.held = len(experiment.trials), list(experiment.search_space.parameters), experiment

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


def wrong_list(_experiment: Experiment) -> list[GenerationNode]:
    """Return a list of what is no node."""
    given: Any = ["a node"]
    return given


def wrong(_experiment: Experiment) -> GenerationStrategy:
    """Return what is no strategy."""
    given: Any = "a strategy"
    return given


def odd(propose: Callable[[Diagonal], Any]) -> list[GenerationNode]:
    """Return a node that answers by a function."""

    class Odd(Diagonal):
        def get_next_candidate(self, pending_parameters: list[TParameterization]) -> Any:  # noqa: ARG002
            return propose(self)

    return [Odd("Odd")]


def raising(error: BaseException) -> Callable[[Diagonal], Any]:
    """Return a function that raises an error."""

    def propose(_node: Diagonal) -> Any:
        raise error

    return propose


ASKED: list[Diagonal] = []
"""Nodes that were asked and never answered."""


def sleepless(node: Diagonal) -> Any:
    """Never come back."""
    ASKED.append(node)
    while True:
        pass


def meddle(node: Diagonal) -> Any:
    """Make a trial of the experiment, which is not the node's to make."""
    node.held.new_trial(GeneratorRun([Arm({"x0": 0.5, "x1": 0.5})]))
    return {"x0": 0.5, "x1": 0.5}


def widen(node: Diagonal) -> Any:
    """Change the bounds of the search space."""
    node.held.search_space.parameters["x0"].update_range(upper=3.0)
    return {"x0": 0.5, "x1": 0.5}


def exits(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that exits as if all were well."""
    return odd(raising(SystemExit(0)))


def interrupts(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that raises what Ctrl-C raises."""
    return odd(raising(KeyboardInterrupt()))


def sleeps(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that never answers."""
    return odd(sleepless)


def meddles(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that makes a trial."""
    return odd(meddle)


def widens(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that changes the space."""
    return odd(widen)


def gives_none(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that gives nothing."""
    return odd(lambda _: None)


def gives_list(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that gives a list."""
    return odd(lambda _: [0.5, 0.5])


def gives_half(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that gives one parameter, and one that is unknown."""
    return odd(lambda _: {"x0": 0.5, "y": 1.0})


def gives_lists(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that gives a list for a number."""
    return odd(lambda _: {"x0": [0.5], "x1": 0.5})


def gives_nan(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that gives what is no number."""
    return odd(lambda _: {"x0": math.nan, "x1": 0.5})


def gives_tensors(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that gives numbers of torch and NumPy."""
    return odd(lambda n: {"x0": torch.tensor(0.25 + n.count / 10), "x1": np.float32(0.5)})


def fails_in_library(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that fails within NumPy."""
    return odd(lambda _: np.linalg.solve(np.zeros((2, 2)), np.ones(2)))


def draws(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that draws at random, and leaves the space now and then."""
    return odd(lambda _: {"x0": 1.5 * np.random.random(), "x1": torch.rand(())})


class Waiting(Diagonal):
    """Counts what is pending."""

    def get_next_candidate(self, pending_parameters: list[TParameterization]) -> TParameterization:
        """Return the number of candidates under way, in tenths."""
        return {"x0": len(pending_parameters) / 10, "x1": 0.5}


def counts_pending(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that counts what is pending."""
    return [Waiting("Waiting")]


class Follower(Diagonal):
    """Goes where the last row of the data says."""

    def update_generator_state(self, experiment: Experiment, data: Data) -> None:
        """Keep the last row."""
        super().update_generator_state(experiment, data)
        self.first = 0.05 * self.count + (data.df["mean"].iloc[-1] if len(data.df) else 0.0)

    step = 0.0


def follows_the_last_row(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that depends on the order of the data."""
    return [Follower("Follower")]


class Batch(GenerationNode):
    """Proposes as many arms as it is made with, whatever it is asked for."""

    def __init__(self, count: int) -> None:
        super().__init__("Batch", [GeneratorSpec(Generators.SOBOL, generator_kwargs={"seed": 1})])
        self._count = count

    def _gen(self, *_: Any, **__: Any) -> GeneratorRun:
        return GeneratorRun([Arm({"x0": i / 10, "x1": 0.5}) for i in range(self._count)])


def no_arm(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node without proposals."""
    return [Batch(0)]


def three_arms(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that proposes a batch."""
    return [Batch(3)]


def two_for_one(_experiment: Experiment) -> list[GenerationNode]:
    """Return two nodes that both propose for the same trial."""
    return [sobol(transition_criteria=[AutoTransitionAfterGen("Diagonal")]), Diagonal("Diagonal")]


def exit_at_once(_experiment: Experiment) -> GenerationStrategy:
    """Exit."""
    sys.exit(3)


def unknown_node(_experiment: Experiment) -> list[GenerationNode]:
    """Return a node that hands over to one that is not there."""
    return [sobol(transition_criteria=[MinTrials(2, "Nowhere")])]


def twins(_experiment: Experiment) -> list[GenerationNode]:
    """Return two nodes of one name."""
    return [Diagonal("Twin"), Diagonal("Twin")]
