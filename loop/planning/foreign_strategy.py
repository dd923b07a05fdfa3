"""A generation strategy that a campaign names, Ax's own or a user's: asked within a time limit, and never trusted."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from ax.api.utils.generation_strategy_dispatch import choose_generation_strategy
from ax.api.utils.structs import GenerationStrategyDispatchStruct
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
from ax.utils.common.random import with_rng_seed

from campaigns.amendments import allowed_text
from campaigns.campaign import Campaign
from campaigns.errors import AthanorError, PlannerError, is_own, raised_by
from campaigns.fidelity import FULL
from campaigns.spaces.space import SpaceConfig
from campaigns.user_code.dotted_paths import Use
from campaigns.user_code.guarded_calls import OverdueError, UserCodeError, call_within
from campaigns.user_code.loading import load_object
from campaigns.values import Candidate
from loop.core.formatting import candidate_text
from loop.core.proposals import STRATEGY, Proposal
from loop.planning.experiment import CampaignExperiment
from loop.planning.model_fitter import ModelFitter, seed_of
from loop.planning.recommender import Recommendation
from loop.planning.shortlist import SpaceExhaustedError

AX = "ax"
_WHERE = "planner.strategy"
_TIMEOUT = 600.0
"""Seconds that a strategy may take unless the campaign says otherwise; not tuned: far more than Ax's own needs."""
_TRIES = 5
"""Proposals of a foreign strategy, each with another seed, of which one must be allowed; not tuned: as many as Ax tries
for a point that is new (``ax.generation_strategy.generation_node.MAX_GEN_ATTEMPTS``)."""
_ENDS: Mapping[type[Exception], str] = {
    GenerationStrategyCompleted: "the strategy has ended: its nodes have made all the trials that they were to make",
    GenerationStrategyRepeatedPoints: "the strategy has ended: its node repeats candidates that were tried",
    SearchSpaceExhausted: "the strategy has ended: no candidate is left",
    DataRequiredError: "the strategy waits for measurements",
    MaxParallelismReachedException: "the strategy waits for trials that are under way",
}

Found = TypeVar("Found")


class ForeignStrategy:
    """A generation strategy that a campaign names: Ax's own, or a user's.

    It is made anew for each suggestion and given an experiment of its own, with its earlier generator runs. So it is a
    function of the store, and a campaign that was killed goes on as one that was not. What it proposes is checked
    before anything is queued.

    Args:
        models: fitted to the trials; they say which are suspected outliers.
        experiment: what was proposed, and how it ended.

    Raises:
        CampaignError: the strategy cannot be loaded.
    """

    def __init__(self, models: ModelFitter, experiment: CampaignExperiment) -> None:
        self._models, self._experiment = models, experiment
        self._path = str(self._campaign.planner.strategy)
        self._make = self._default if self._path == AX else load_object(self._path, _WHERE, Use.STRATEGY)
        self._overdue = ""

    @property
    def _campaign(self) -> Campaign:
        return self._models.problem.campaign

    @property
    def _users_path(self) -> str:
        """The dotted path of the user's code; empty where it is Ax's own."""
        return "" if self._path == AX else self._path

    def amend(self, first: int) -> None:
        """Do nothing: the experiment holds the current space."""

    def recommend(self) -> Recommendation:
        """Return the next candidate, with the node that proposed it.

        Raises:
            SpaceExhaustedError: the strategy has come to its end, or waits for measurements.
            PlannerError: it fails, is too slow, or proposes nothing that is allowed.
        """
        if self._overdue:  # or what is under way would have to wait for it time and again
            raise PlannerError(self._overdue)
        self._experiment.flag_outliers(self._models.outliers())
        given = self._experiment.built()
        strategy = self._asked(partial(self._restored, given), given, lambda: self._path)
        refusals = []
        for attempt in range(_TRIES):
            node, candidate = self._proposed(strategy, given, attempt)
            refusal = self._refusal(candidate)
            if candidate is not None and not refusal:
                return candidate, self._proposal(node)
            refusals.append(f"node {node} proposed {self._shown(candidate)}, {refusal}")
        raise self._error(f"{self._path} proposes nothing that is allowed: {'; '.join(dict.fromkeys(refusals))}")

    def _proposed(self, strategy: GenerationStrategy, given: Experiment, attempt: int) -> tuple[str, Candidate | None]:
        """Return the next node of a strategy, and what it proposes."""
        seed = seed_of(self._campaign.seed, len(self._experiment), attempt)
        ask = partial(_generated, strategy, given, seed)
        runs = self._asked(ask, given, lambda: f"node {strategy.current_node_name} of {self._path}")
        node = " and ".join(dict.fromkeys(_node(run) for run in runs))
        arms = [arm for run in runs for arm in run.arms]
        if len(arms) > 1:  # at once: Ax would go on with the next node, and what this one proposed be lost
            raise self._error(f"node {node} of {self._path} proposed {len(arms)} arms for one trial; {_ONE_ARM}")
        return node, self._experiment.candidate_of(arms[0].parameters) if arms else None

    def _asked(self, ask: Callable[[], Found], given: Experiment, who: Callable[[], str]) -> Found:
        """Return what a strategy answers; it may take its time, raise nothing, and change nothing."""
        limit, before = self._campaign.planner.timeout or _TIMEOUT, _contents(given)
        try:
            found = call_within(limit, ask)
        except OverdueError as error:
            lines = [f", and is in {file}:{line}" for file, line in error.lines if is_own(file, self._users_path)]
            self._overdue = f"{_WHERE}: {who()} has not answered within {limit:g} s{''.join(lines[-1:])}"
            self._overdue += f"; correct it, or give it more time by planner.timeout, {_GO_ON}"
            raise PlannerError(self._overdue) from error
        except UserCodeError as error:
            raise self._told(error.raised, who()) from error.raised
        if changed := [name for name, held in _contents(given).items() if held != before[name]]:
            raise self._error(
                f"{who()} changed the experiment ({', '.join(changed)}); allowed: to read it, and to propose"
            )
        return found

    def _told(self, raised: BaseException, who: str) -> AthanorError | SpaceExhaustedError:
        """Return what a user is told of what a strategy raised: its end, or an error of its code."""
        for kind, words in _ENDS.items():
            if isinstance(raised, kind):
                return SpaceExhaustedError(words)
        if isinstance(raised, AthanorError | SpaceExhaustedError):
            return raised
        return PlannerError(f"{_WHERE}: {who} raised {raised_by(raised, self._users_path, _WHERE)}, {_GO_ON}")

    def _error(self, what: str) -> PlannerError:
        return PlannerError(f"{_WHERE}: {what}; correct the strategy, or remove it from the campaign file, {_GO_ON}")

    def _restored(self, given: Experiment) -> GenerationStrategy:
        """Return the strategy, at the node of its latest generator run, as Ax restores one from its storage."""
        strategy = _strategy_of(self._make(given), self._path)
        for node in strategy.nodes_by_name.values():
            if isinstance(node, ExternalGenerationNode):
                _check_answers(node, list(given.search_space.parameters))
        runs = [run for trial in given.trials.values() for run in trial.generator_runs]
        strategy._generator_runs = [run for run in runs if _node(run) in strategy.nodes_by_name]
        if strategy._generator_runs:
            strategy._curr = strategy.nodes_by_name[_node(strategy._generator_runs[-1])]
        return strategy

    def _refusal(self, candidate: Candidate | None) -> str:
        """Return why a candidate is not queued; empty if it is."""
        space = self._campaign.space
        if candidate is None:
            return "and not one for the trial"
        if not space.contains(candidate):
            return f"outside of the space; allowed: {_allowed(space)}"
        if candidate.key() in self._experiment.seen(FULL):
            return "which was proposed before; allowed: a new candidate"
        return ""

    def _shown(self, candidate: Candidate | None) -> str:
        if candidate is None:
            return "no arm"
        parameters = self._campaign.space.all_parameters.items()
        return candidate_text(candidate, {name: parameter.unit for name, parameter in parameters})

    def _proposal(self, node: str) -> Proposal:
        completed = tuple(sorted(t.index for t in self._experiment.ax.completed_trials))
        return Proposal(STRATEGY, learnt_from=completed, pending=self._experiment.under_way, node=node)

    def _default(self, _experiment: Experiment) -> GenerationStrategy:
        """Return what Ax's client takes by default, with the campaign's number of initial trials, and its seed."""
        struct = GenerationStrategyDispatchStruct(
            initialization_budget=self._campaign.planner.initial, initialization_random_seed=self._campaign.seed
        )
        return choose_generation_strategy(struct)


_ONE_ARM = "allowed: one, as by Ax's Client: n = 1, and AutoTransitionAfterGen with continue_trial_generation=False"
_GO_ON = "and go on with 'athanor run'"


def _generated(strategy: GenerationStrategy, given: Experiment, seed: int) -> list[GeneratorRun]:
    """Return the generator runs of a strategy's nodes for one more trial."""
    with with_rng_seed(seed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ax, BoTorch and SciPy about each other
        (runs,) = strategy.gen(given, n=1)
    return runs


def _strategy_of(given: object, path: str) -> GenerationStrategy:
    """Return a strategy, or one of the nodes that a user's function gives.

    Raises:
        PlannerError: it gives something else.
    """
    if isinstance(given, GenerationStrategy):
        return given
    nodes = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    wrong = [node for node in nodes if not isinstance(node, GenerationNode)]
    if not nodes or wrong:
        got = _kind(given) + (f" with {_kind(wrong[0])}" if wrong else " without nodes" if given == [] else "")
        raise PlannerError(
            f"{_WHERE}: {path} gave {got}; allowed: an ax.generation_strategy.generation_strategy:GenerationStrategy, "
            "or a list of its nodes"
        )
    if twice := [name for name, count in Counter(node.name for node in nodes).items() if count > 1]:
        raise PlannerError(f"{_WHERE}: {path} gave several nodes {twice[0]}; allowed: a name of its own for each")
    return GenerationStrategy(nodes=nodes)


def _check_answers(node: ExternalGenerationNode, names: Sequence[str]) -> None:
    """Let what a node of a user's proposes be told where it is no value of each parameter."""
    if "get_next_candidate" in vars(node):
        return  # of a strategy that a user's module keeps
    propose = node.get_next_candidate

    def checked(pending_parameters: list[TParameterization]) -> TParameterization:
        return _parameters(propose(pending_parameters), node.name, names)

    vars(node)["get_next_candidate"] = checked


def _parameters(given: Any, node: str, names: Sequence[str]) -> TParameterization:
    """Return a value of each parameter, with numbers of NumPy and torch as those of Python.

    Raises:
        PlannerError: something else is given.
    """
    allowed = f"allowed: a dict with a value for each of {', '.join(names)}; correct the node, {_GO_ON}"
    if not isinstance(given, Mapping):
        raise PlannerError(f"{_WHERE}: node {node} gave {_kind(given)}; {allowed}")
    lacking, unknown = [n for n in names if n not in given], [str(n) for n in given if n not in names]
    if lacking or unknown:
        what = [f"without {', '.join(lacking)}"] * bool(lacking) + [f"with {', '.join(unknown)}"] * bool(unknown)
        raise PlannerError(f"{_WHERE}: node {node} gave a dict {' and '.join(what)}; {allowed}")
    plain = {name: _plain(given[name]) for name in names}
    for name, value in plain.items():
        if not isinstance(value, int | float | str):
            raise PlannerError(f"{_WHERE}: node {node} gave {_kind(value)} for {name}; allowed: a number, or a text")
    return plain


def _plain(value: Any) -> Any:
    """Return a number of NumPy or torch as one of Python; anything else as it is."""
    single = hasattr(value, "item") and getattr(value, "shape", None) == ()
    return value.item() if single else value


def _kind(given: object) -> str:
    name = type(given).__name__
    return "None" if given is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _contents(held: Experiment) -> dict[str, object]:
    """Return what an experiment holds, part by part, to see whether it is changed."""
    return {
        "trials": [(t.index, t.status, [arm.parameters for arm in t.arms]) for t in held.trials.values()],
        "data": held.lookup_data().df.to_csv(index=False),
        "search space": repr(held.search_space),
        "metrics": sorted(held.metrics),
        "optimization config": repr(held.optimization_config),
    }


def _node(run: GeneratorRun) -> str:
    return str(run._generation_node_name)


def _allowed(space: SpaceConfig) -> str:
    """Return what a space allows, in words."""
    bounds = [f"{name}: {allowed_text(parameter)}" for name, parameter in space.all_parameters.items()]
    totals = [f"total of {name}: {mixture.total:g}" for name, mixture in space.mixtures.items()]
    return "; ".join([*bounds, *totals, *space.constraints, *(["a row of the table"] if space.rows else [])])
