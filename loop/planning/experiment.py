"""A campaign as an experiment of Ax: what was searched, what was tried, and what came out. The one file that knows Ax.

Ax's Client holds it from then on, with its analyses (sensitivities, contours, cross-validation) and suggestions.
The planner keeps its trials itself: any part of Ax takes seconds and 250 MB to import, and the client a minute to take
up 2,000 trials.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from ax.api.utils.instantiation.from_struct import parameter_from_config, validate_constraint_parameters
from ax.core.arm import Arm
from ax.core.experiment import Experiment
from ax.core.generator_run import GeneratorRun
from ax.core.parameter import Parameter
from ax.core.parameter_constraint import ParameterConstraint
from ax.core.search_space import SearchSpace
from ax.utils.common.logger import set_ax_logger_levels

from campaigns.campaign import Campaign
from campaigns.constraints import LinearConstraint
from campaigns.objective import Bound, FindParetoConfig, Objective
from campaigns.parameters import CategoricalConfig, FloatConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from campaigns.space import SpaceConfig
from campaigns.values import Candidate, Scalar, TrialState
from loop.core.candidate_results import CandidateResult, by_trial, results
from loop.core.records import TrialRecord

MATERIAL = "material"
SCORE = "score"

_Config: TypeAlias = RangeParameterConfig | ChoiceParameterConfig


@dataclass(frozen=True)
class Handover:
    """A campaign for Ax.

    Attributes:
        client: knows the campaign and its candidates.
        left_out: what Ax cannot hold, and what became of trials that are no observation of their own, in words.
    """

    client: Client
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Group:
    """The trials of one candidate, by number, with its pooled values if any was completed."""

    trials: tuple[TrialRecord, ...]
    result: CandidateResult | None

    @property
    def candidate(self) -> Candidate:
        return self.trials[0].candidate

    @property
    def name(self) -> str:
        numbers = "_".join(str(trial.number) for trial in self.trials)
        return f"trial{'s' if len(self.trials) > 1 else ''}_{numbers}"

    @property
    def measured(self) -> CandidateResult | None:
        """Its result, if Ax can learn from it."""
        found = self.result
        return None if found is None or found.outlier or found.score is None else found


def write_experiment(campaign: Campaign, trials: Sequence[TrialRecord], path: Path) -> tuple[str, ...]:
    """Write a campaign, see ``experiment``, for ``Client.load_from_json_file``; return what is left out.

    Raises:
        OSError: the file cannot be written.
    """
    handover = experiment(campaign, trials)
    handover.client.save_to_json_file(str(path))
    return handover.left_out


def experiment(campaign: Campaign, trials: Sequence[TrialRecord]) -> Handover:
    """Return a client that knows a campaign and each of its candidates once, by the numbers of its trials.

    Totals of mixtures and linear constraints are kept. Every parameter has a value there, and one that does not apply
    its lowest. A material is one of those that were tried. A candidate is completed with its pooled metrics and their
    standard errors; without any that count it runs, has failed or is abandoned, as its latest trial.

    Args:
        campaign: as its trials are scored, with room for all of them.
        trials: in the order of their numbers.
    """
    set_ax_logger_levels(logging.WARNING)
    client, objective = Client(random_seed=campaign.seed), campaign.build_objective()
    space, refused = _search_space(campaign.space, trials)
    held = Experiment(space, campaign.name, description=campaign.description, properties={"owners": [None]})
    client.set_experiment(held)
    constraints = [*map(_outcome, objective.bounds), *_thresholds(objective)]
    client.configure_optimization(", ".join(_axes(objective)), constraints)
    constrained = {bound.metric for bound in objective.bounds}
    client.configure_tracking_metrics([n for n in campaign.measured if n not in constrained])
    client.configure_generation_strategy(initialization_budget=0)
    groups = _groups(objective, trials)
    outside = [group for group in groups if not _attach(client, held, campaign, group)]
    return Handover(client, (*refused, *_unheld(campaign), *_tried(groups), *_outside(outside)))


def _search_space(space: SpaceConfig, trials: Sequence[TrialRecord]) -> tuple[SearchSpace, list[str]]:
    """Return the space with the constraints that Ax can hold, and those that it cannot."""
    configs = [*_parameters(space), *_materials(trials)]
    parameters: dict[str, Parameter] = {config.name: parameter_from_config(config) for config in configs}
    held, refused = [], []
    for text, constraint in _constraints(space):
        try:
            validate_constraint_parameters([parameters[name] for name in constraint.constraint_dict])
        except ValueError as error:
            refused.append(f"constraint {text}: {error}")
        else:
            held.append(constraint)
    return SearchSpace(list(parameters.values()), held), refused


def _constraints(space: SpaceConfig) -> Iterator[tuple[str, ParameterConstraint]]:
    """Yield the linear constraints and the totals of the mixtures, each with its text."""
    for constraint in space.linear_constraints:
        yield constraint.text, _constraint(constraint)
    for name, mixture in space.mixtures.items():
        total = " + ".join(f"1.0 * {component}" for component in mixture.components)
        yield f"total of {name}", ParameterConstraint(equality=f"{total} == {mixture.total!r}")


def _constraint(constraint: LinearConstraint) -> ParameterConstraint:
    terms = " + ".join(f"{coefficient!r} * {name}" for name, coefficient in constraint.coefficients.items())
    if constraint.equal:
        return ParameterConstraint(equality=f"{terms} == {constraint.bound!r}")
    return ParameterConstraint(inequality=f"{terms} <= {constraint.bound!r}")


def _groups(objective: Objective, trials: Sequence[TrialRecord]) -> list[_Group]:
    """Return the trials candidate by candidate, in the order in which they were first proposed."""
    of = by_trial(results(objective, trials))
    groups: dict[tuple[object, ...], list[TrialRecord]] = {}
    for trial in trials:
        groups.setdefault(trial.candidate.key(), []).append(trial)
    return [_Group(tuple(g), next((of[t.number] for t in g if t.number in of), None)) for g in groups.values()]


def _attach(client: Client, held: Experiment, campaign: Campaign, group: _Group) -> bool:
    """Tell of a candidate and how it ended, if it has; return whether it lies in the space of Ax."""
    values = _values(campaign.space, group.candidate)
    # Not by attach_trial, which refuses what has left the space since.
    trial = held.new_trial(GeneratorRun([Arm(values, group.name)])).mark_running(no_runner_required=True)
    latest, measured = group.trials[-1], group.measured
    if measured is not None:
        client.complete_trial(trial.index, raw_data=_data(campaign, measured))
    elif any(not one.state.ended for one in group.trials):
        pass  # for Ax, it runs
    elif latest.state is TrialState.FAILED:
        client.mark_trial_failed(trial.index, failed_reason=latest.reason)
    else:
        client.mark_trial_abandoned(trial.index)
    return held.search_space.check_membership(values)


def _data(campaign: Campaign, found: CandidateResult) -> dict[str, float | tuple[float, float]]:
    """Return what was measured with its standard errors, what is constrained, and what it is worth."""
    objective = campaign.build_objective()
    names = [*campaign.measured, *(b.metric for b in objective.bounds)]
    measured: dict[str, float | tuple[float, float]] = {
        name: (found.metrics[name].value, found.metrics[name].sd) for name in names if name in found.metrics
    }
    if not isinstance(objective.find, FindParetoConfig):
        return measured | {SCORE: (found.score or 0.0, found.score_sd or 0.0)}
    return measured | dict(zip(_axes(objective), map(float, objective.points(found.values)), strict=True))


def _axes(objective: Objective) -> list[str]:
    """Return the names of what is maximised: the score, or the points of each term of a front."""
    if not isinstance(objective.find, FindParetoConfig):
        return [SCORE]
    return [f"points_of_{term.metric}_{place}" for place, term in enumerate(objective.terms)]


def _thresholds(objective: Objective) -> list[str]:
    """Return the references of a front, where they are given."""
    if not isinstance(objective.find, FindParetoConfig):
        return []
    return [f"{n} >= {x!r}" for n, x in zip(_axes(objective), objective.references, strict=True) if x is not None]


def _outcome(bound: Bound) -> str:
    return f"{bound.metric} {'>=' if bound.at_least else '<='} {bound.limit!r}"


def _values(space: SpaceConfig, candidate: Candidate) -> dict[str, Scalar]:
    """Return a candidate's value of each parameter; the shares of a mixture add up exactly, as Ax wants them to."""
    rest = {} if candidate.material is None else {MATERIAL: candidate.material}
    values = {name: p.at(0.0) for name, p in space.parameters.items() if p.when} | dict(candidate.parameters) | rest
    for mixture in space.mixtures.values():
        shares = {name: float(values[name]) for name in mixture.components if name in values}
        whole = sum(shares.values())
        values |= {name: share * mixture.total / whole for name, share in shares.items()} if whole > 0.0 else {}
    return values


def _parameters(space: SpaceConfig) -> list[_Config]:
    return [_parameter(name, parameter) for name, parameter in space.all_parameters.items()]


def _materials(trials: Sequence[TrialRecord]) -> list[_Config]:
    """Return the choice among the materials that were tried; Ax refuses a choice of one."""
    names = list(dict.fromkeys(t.candidate.material for t in trials if t.candidate.material is not None))
    if not names:
        return []
    spare = [f"not {names[0]}"] * (len(names) == 1)
    return [ChoiceParameterConfig(MATERIAL, [*names, *spare], parameter_type="str", is_ordered=False)]


def _parameter(name: str, parameter: ParameterConfig) -> _Config:
    match parameter:
        case FloatConfig(low=low, high=high) if low == high:
            return ChoiceParameterConfig(name=name, values=[low], parameter_type="float", is_ordered=True)
        case FloatConfig(low=low, high=high, scale=scale):
            return RangeParameterConfig(name=name, bounds=(low, high), parameter_type="float", scaling=scale)
        case IntegerConfig(low=low, high=high) if low == high:
            return ChoiceParameterConfig(name=name, values=[int(low)], parameter_type="int", is_ordered=True)
        case IntegerConfig(low=low, high=high):
            return RangeParameterConfig(name=name, bounds=(int(low), int(high)), parameter_type="int")
        case OrdinalConfig(levels=levels):
            return ChoiceParameterConfig(name=name, values=list(levels), parameter_type="float", is_ordered=True)
        case CategoricalConfig(levels=levels):
            return ChoiceParameterConfig(name=name, values=list(levels), parameter_type="str", is_ordered=False)


def _unheld(campaign: Campaign) -> Iterator[str]:
    """Yield what the campaign file says and Ax cannot hold."""
    space = campaign.space
    for constraint in space.parsed_constraints:
        if not isinstance(constraint, LinearConstraint):
            yield f"constraint {constraint.text}: it is not linear"
    for name, mixture in space.mixtures.items():
        if mixture.at_most is not None:
            yield f"at_most {mixture.at_most} of mixture {name}: Ax's suggestions may hold more components"
    for name, parameter in space.parameters.items():
        if parameter.when:
            yield f"condition of {name}: where it does not apply, it has its lowest value {parameter.at(0.0)}"
        if isinstance(parameter, CategoricalConfig) and parameter.descriptors:
            yield f"descriptors of {name}"
    if space.rows is not None:
        yield f"rows {space.rows.file}: Ax's suggestions may be none of them"
    if space.pool is not None:
        yield "the pool: Ax knows the materials that were tried, and no structures"
    yield from (f"fidelity {name} and what it measured" for name in campaign.fidelities)
    yield from (f"warm start from {source.name}" for source in campaign.warm_start)
    yield "stations, workflow, budget and stopping rules: Ax has none"


def _tried(groups: Sequence[_Group]) -> Iterator[str]:
    """Yield what became of trials that are no observation of their own."""
    for group in groups:
        found = group.measured
        if found is not None and len(found.readings) > 1:
            yield f"single readings of {found.label}: Ax holds their mean"
        for trial in group.trials:
            if trial.outlier:
                yield f"trial {trial.number}: a suspected outlier"
            elif trial.state.ended and trial.state is not TrialState.COMPLETED:
                yield f"measurement of trial {trial.number}: {trial.state}"
            elif not trial.state.ended and found is not None:
                yield f"trial {trial.number}, under way: its candidate is completed for Ax"


def _outside(groups: Sequence[_Group]) -> Iterator[str]:
    for group in groups:
        yield f"{group.name.replace('_', ' ')}: outside of the space of Ax, whose models do not learn from it"
