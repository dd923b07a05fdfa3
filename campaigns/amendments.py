"""Amendments: what may change while a campaign runs, and the campaign that results.

The file stays as it is. Changes are kept in a journal, in order, each frozen; the current campaign is a pure function
of the file and of the journal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal, assert_never

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from campaigns.campaign import Campaign
from campaigns.config import Config
from campaigns.decisions import Order, RepeatStandard, SampleChange, SetStation, Settlement
from campaigns.errors import CampaignError, Problem
from campaigns.objective import FindParetoConfig, ObjectiveConfig, Weight
from campaigns.parsing.validation_messages import explain
from campaigns.spaces.parameters import CategoricalConfig, FloatConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.spaces.space_validation import unkept
from campaigns.values import Candidate, MetricValue, Scalar

Parameters = dict[str, ParameterConfig]


class SetWeights(Config):
    """Give some terms of the score other weights."""

    kind: Literal["weights"] = "weights"
    weights: dict[int, Weight]
    """Place of the term in the file, from 0, to its weight."""


class SetBounds(Config):
    """Give a number other bounds, in its unit."""

    kind: Literal["bounds"] = "bounds"
    parameter: str
    low: float
    high: float
    grown: bool = False
    """Whether the bounds were extended automatically; bounds that an operator has set are not extended."""


class FixParameter(Config):
    """Hold a parameter at one value, in its unit."""

    kind: Literal["fix"] = "fix"
    parameter: str
    value: Scalar


class ReleaseParameter(Config):
    """Let a parameter that is held at one value go again."""

    kind: Literal["release"] = "release"
    parameter: str


class AddLevel(Config):
    """Add a level to a categorical or an ordinal parameter."""

    kind: Literal["level"] = "level"
    parameter: str
    level: Scalar
    descriptors: dict[str, float] = Field(default_factory=dict)
    """Property to its value for the new level, where the levels have such."""


class RemoveLevel(Config):
    """Remove a level of a categorical or an ordinal parameter."""

    kind: Literal["remove_level"] = "remove_level"
    parameter: str
    level: Scalar


class AddTrial(Config):
    """Run a candidate next."""

    kind: Literal["trial"] = "trial"
    parameters: dict[str, Scalar]
    material: str | None = None

    @property
    def candidate(self) -> Candidate:
        """What is to be run."""
        return Candidate(self.parameters, self.material)


class MeasuredRow(Config):
    """What a row of a table says of one candidate."""

    row: int
    """Number of the row in its file, as the reader of the table counts."""
    parameters: dict[str, Scalar]
    """Parameter to value, in the parameter's unit."""
    material: str | None = None
    metrics: dict[str, tuple[float, float, str]]
    """Measured metric to value, standard uncertainty and their unit."""

    @property
    def candidate(self) -> Candidate:
        """What was measured."""
        return Candidate(self.parameters, self.material)

    @property
    def measured(self) -> dict[str, MetricValue]:
        """What was found."""
        return {name: MetricValue(*each) for name, each in self.metrics.items()}


class ImportTrials(Config):
    """Make trials of what was measured before the campaign began, or beside it."""

    kind: Literal["import"] = "import"
    table: str
    """File that the rows stand in: relative to the campaign file where it lies beside or below it."""
    rows: tuple[MeasuredRow, ...]


class CompleteTrials(Config):
    """Add to trials that were imported what was measured of the same samples later."""

    kind: Literal["completion"] = "completion"
    table: str
    """File that the rows stand in, as of ``ImportTrials``."""
    rows: tuple[MeasuredRow, ...]
    """All that each row says."""
    completes: tuple[tuple[int, int], ...]
    """By row: number of the amendment that imports what it completes, and its place there, from 0."""


CampaignChange = SetWeights | SetBounds | FixParameter | ReleaseParameter | AddLevel | RemoveLevel
"""What changes the campaign."""

Import = ImportTrials | CompleteTrials
"""What brings measurements."""

Change = CampaignChange | AddTrial | Settlement | Order | SetStation | RepeatStandard | SampleChange | Import
"""What may stand in the journal."""

CHANGES: TypeAdapter[Change] = TypeAdapter(Annotated[Change, Field(discriminator="kind")])
"""Reads a change from plain data."""


def amended(campaign: Campaign, changes: Sequence[CampaignChange]) -> Campaign:
    """Return the campaign that results from changes to the file's, in their order.

    Raises:
        CampaignError: a change names what is not there, or may not be changed.
    """
    open_ = dict(campaign.space.parameters)
    fixed: dict[str, FixParameter] = {}
    weights: dict[int, float] = {}
    for change in changes:
        match change:
            case SetWeights():
                weights |= change.weights
            case ReleaseParameter(parameter=name):
                _check_fixed(fixed, name)
                del fixed[name]
            case FixParameter(parameter=name):
                _check_value(_found(campaign, open_, name), change)
                fixed[name] = change
            case SetBounds(parameter=name) | AddLevel(parameter=name) | RemoveLevel(parameter=name):
                open_[name] = _changed(_found(campaign, open_, name), change)
                if name in fixed and not open_[name].contains(fixed[name].value):
                    held_at = f"is fixed at {fixed[name].value!r}, which would not be in {allowed_text(open_[name])}"
                    raise _refused(name, f"{held_at}; release it first, by 'space release {name}'")
            case _:
                assert_never(change)
    held = {name: _held(p, fixed[name].value) if name in fixed else p for name, p in open_.items()}
    objective = _with_weights(campaign.objective, weights)
    return campaign.model_copy(update={"space": _with(campaign.space, held), "objective": objective})


def with_fixed(campaign: Campaign, fixed: Mapping[str, Scalar]) -> Campaign:
    """Return the campaign with some parameters fixed for a while, as by a load; of a table, with the rows that fit.

    Raises:
        CampaignError: a parameter is not there, or may not have its value.
    """
    table = campaign.space.table
    if table is None:
        return amended(campaign, [FixParameter(parameter=name, value=value) for name, value in fixed.items()])
    fitting = [all(row.get(name) == value for name, value in fixed.items()) for row in table]
    return campaign.model_copy(update={"space": campaign.space.of_rows(table.take(np.array(fitting)))})


def enclosing_space(campaign: Campaign, changes: Sequence[CampaignChange]) -> SpaceConfig:
    """Return the smallest space that holds all that could ever be chosen, so that every trial has a place in it."""
    widest = dict(campaign.space.parameters)
    for change in changes:
        match change:
            case AddLevel(parameter=name, level=level):
                removed_before = widest[name].contains(level)
                widest[name] = (_described_anew if removed_before else _changed)(widest[name], change)
            case SetBounds(parameter=name):
                old = _number(widest[name], name)
                update = {"low": min(old.low, change.low), "high": max(old.high, change.high)}
                widest[name] = old.model_copy(update=update)
    return _with(campaign.space, widest)


def check_amended(campaign: Campaign, before: Sequence[CampaignChange], change: CampaignChange) -> Campaign:
    """Return the campaign that results when a change is added to those before it.

    Raises:
        CampaignError: the change is impossible, or leaves nothing that keeps the constraints.
    """
    found = amended(campaign, [*before, change])
    problems = [Problem(f"space.{where}", message) for where, message in unkept(found.space)]
    if problems:
        raise CampaignError(problems, "")
    return found


def as_released(campaign: Campaign, changes: Sequence[CampaignChange]) -> Campaign:
    """Return the campaign after some changes, with what the last one gives other bounds or levels as if not fixed."""
    last = changes[-1]
    if not isinstance(last, SetBounds | AddLevel):
        return amended(campaign, changes)
    name = last.parameter
    return amended(
        campaign, [c for c in changes if not (isinstance(c, FixParameter | ReleaseParameter) and c.parameter == name)]
    )


def open_parameters(campaign: Campaign, changes: Sequence[CampaignChange]) -> Mapping[str, ParameterConfig]:
    """Return the parameters with their current bounds and levels, as if none were fixed."""
    shaping = [change for change in changes if isinstance(change, SetBounds | AddLevel | RemoveLevel)]
    return amended(campaign, shaping).space.parameters


def _with(space: SpaceConfig, parameters: Parameters) -> SpaceConfig:
    """Return a space with other parameters; where they are the same, with the table that it has read."""
    return space if parameters == space.parameters else space.model_copy(update={"parameters": parameters})


def _with_weights(objective: ObjectiveConfig, weights: Mapping[int, float]) -> ObjectiveConfig:
    if not weights:
        return objective
    if isinstance(objective.find, FindParetoConfig):
        raise _refused("weights", "terms of a front have no weights: they are its axes; nothing to set")
    if missing := [place for place in weights if not 0 <= place < len(objective.terms)]:
        raise _refused("weights", f"got term {missing[0]}; allowed: 0 to {len(objective.terms) - 1}")
    terms = [t.model_copy(update={"weight": weights.get(i, t.weight)}) for i, t in enumerate(objective.terms)]
    return objective.model_copy(update={"terms": tuple(terms)})


def _found(campaign: Campaign, parameters: Parameters, name: str) -> ParameterConfig:
    """Return a parameter that may be changed."""
    if campaign.space.rows is not None:
        advice = "only the rows of the table may be chosen, whatever the bounds are; run single rows by 'trial add'"
        raise _refused(name, f"the space is the table {campaign.space.rows.file}: {advice}")
    if name in campaign.space.all_parameters and name not in parameters:
        raise _refused(name, "is a component of a mixture, whose shares depend on each other; it cannot be changed")
    if name not in parameters:
        raise _refused(name, f"is no parameter; allowed: {', '.join(parameters) or 'none'}")
    return parameters[name]


def _number(parameter: ParameterConfig, name: str) -> FloatConfig | IntegerConfig:
    if not isinstance(parameter, FloatConfig | IntegerConfig):
        raise _refused(name, f"is {parameter.kind} and has levels, not bounds; use 'space fix' or 'space add'")
    return parameter


def _changed(parameter: ParameterConfig, change: SetBounds | AddLevel | RemoveLevel) -> ParameterConfig:
    """Return a parameter with other bounds, or with a level more or less, checked as in a file."""
    if isinstance(change, RemoveLevel):
        return _without_level(parameter, change)
    data = parameter.model_dump(exclude_none=True)
    match change:
        case SetBounds():
            _number(parameter, change.parameter)
            data |= {"low": change.low, "high": change.high}
            if not change.grown:
                data = {key: value for key, value in data.items() if key not in ("lowest", "highest")}
        case AddLevel():
            data |= _with_level(parameter, change)
    try:
        return type(parameter).model_validate(data)
    except ValidationError as error:
        message = "; ".join(problem.message for problem in explain(error, data, {}))
        raise _refused(change.parameter, message) from error


def _with_level(parameter: ParameterConfig, change: AddLevel) -> dict[str, Any]:
    match parameter:
        case OrdinalConfig():
            if not isinstance(change.level, int | float):
                raise _refused(change.parameter, f"got level {change.level!r}; allowed: a number in {parameter.unit}")
            return {"levels": sorted([*parameter.levels, float(change.level)])}
        case CategoricalConfig():
            if set(change.descriptors) != set(parameter.descriptors):
                got, wanted = (", ".join(names) or "none" for names in (change.descriptors, parameter.descriptors))
                raise _refused(change.parameter, f"got the descriptors {got}; needed: {wanted}")
            described = {n: (*values, change.descriptors[n]) for n, values in parameter.descriptors.items()}
            return {"levels": (*parameter.levels, str(change.level)), "descriptors": described}
        case _:
            raise _refused(change.parameter, f"is {parameter.kind} and has bounds, not levels; use 'space set'")


def _described_anew(parameter: ParameterConfig, change: AddLevel) -> ParameterConfig:
    """Return a parameter that has a level already, with the descriptors with which it is added once more."""
    if not isinstance(parameter, CategoricalConfig):
        return parameter
    place = parameter.levels.index(str(change.level))
    described = {
        name: (*values[:place], change.descriptors[name], *values[place + 1 :])
        for name, values in parameter.descriptors.items()
    }
    return parameter.model_copy(update={"descriptors": described})


def _without_level(parameter: ParameterConfig, change: RemoveLevel) -> ParameterConfig:
    """Return a parameter without one of its levels, of which two stay at least."""
    name = change.parameter
    if not isinstance(parameter, CategoricalConfig | OrdinalConfig):
        raise _refused(name, f"is {parameter.kind} and has bounds, not levels; use 'space set'")
    if not parameter.contains(change.level):
        raise _refused(name, f"has no level {change.level!r}; allowed: {allowed_text(parameter)}")
    if len(parameter.levels) == 2:
        raise _refused(name, f"has the levels {allowed_text(parameter)} only; to leave one, use 'space fix'")
    kept = [place for place, level in enumerate(parameter.levels) if level != change.level]
    update: dict[str, Any] = {"levels": tuple(parameter.levels[place] for place in kept)}
    if isinstance(parameter, CategoricalConfig):
        described = parameter.descriptors.items()
        update["descriptors"] = {n: tuple(values[place] for place in kept) for n, values in described}
    return parameter.model_copy(update=update)


def _check_value(parameter: ParameterConfig, change: FixParameter) -> None:
    if not parameter.contains(change.value):
        message = f"cannot be fixed at {change.value!r}; allowed: {allowed_text(parameter)}"
        raise _refused(change.parameter, message)


def _check_fixed(fixed: Collection[str], name: str) -> None:
    if name not in fixed:
        raise _refused(name, f"is not fixed; fixed: {', '.join(fixed) or 'none'}")


def _held(parameter: ParameterConfig, value: Scalar) -> ParameterConfig:
    """Return a parameter that can take one value only, as no file may have it."""
    match parameter:
        case CategoricalConfig():
            return parameter.model_copy(update={"levels": (value,), "descriptors": {}})
        case OrdinalConfig():
            return parameter.model_copy(update={"levels": (value,)})
        case FloatConfig() | IntegerConfig():
            return parameter.model_copy(update={"low": value, "high": value, "lowest": None, "highest": None})


def allowed_text(parameter: ParameterConfig) -> str:
    """Return what a parameter may be, in words."""
    match parameter:
        case CategoricalConfig() | OrdinalConfig():
            return ", ".join(f"{level}" for level in parameter.levels)
        case FloatConfig() | IntegerConfig():
            return f"{parameter.low:g} to {parameter.high:g} {parameter.unit}"


def _refused(where: str, message: str) -> CampaignError:
    return CampaignError([Problem(where, message)], "")
