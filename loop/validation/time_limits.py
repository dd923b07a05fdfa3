"""Whether steps have the time that they need with every recipe of a campaign's space."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Protocol

from campaigns.campaign import Campaign
from campaigns.errors import Problem
from campaigns.fidelity import all_steps
from campaigns.lab.laboratory import StepConfig
from campaigns.spaces.parameters import FloatConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Scalar, lab_time
from loop.validation.limit_checks import HasLimits, constant, converted, extremes

Setting = Mapping[str, Scalar]
_MOST_CORNERS = 4096
"""Corners of a space that are all tried; of a larger one, samples are. This and the next four are not tuned: they keep
``athanor validate`` below half a second."""
_SAMPLES = 512
"""Sobol points of a space with too many corners."""
_PUSHED = 16
"""Slowest of these points that are pushed to the space's boundary."""
_BISECTIONS = 20
"""Halvings of the way to the boundary, which find it to a millionth of the range."""
_ROWS = 20000
"""Rows of a table that are tried."""


class HasDuration(HasLimits, Protocol):
    """What states limits and units, and can tell how long a job takes."""

    @property
    def defaults(self) -> Mapping[str, Scalar]:
        """Values of the settings that a recipe may leave out."""

    def job_duration(self, recipe: Mapping[str, Scalar]) -> float | None:
        """Return how long a job takes [s], by a complete recipe in the settings' units; None where nobody can tell."""


def late_steps(campaign: Campaign, instruments: Mapping[str, HasDuration]) -> Iterator[Problem]:
    """Yield the steps that take longer than they may, with some settings of the space.

    Args:
        campaign: space, workflow and fidelities.
        instruments: station to what tells its times; stations that are missing are left out.
    """
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        known = [name for name in step.stations if name in instruments]
        found = (_too_long(campaign, step, name, instruments[name]) for name in known)
        if why := next(filter(None, found), ""):
            yield Problem(f"{where}.timeout", why)
        yield from _expected(campaign, where, step)


def _too_long(campaign: Campaign, step: StepConfig, station: str, instrument: HasDuration) -> str:
    def told(setting: Setting) -> Setting:
        return {**instrument.defaults, **_recipe(campaign, step, instrument, setting)}

    def takes(setting: Setting) -> float:
        return instrument.job_duration(told(setting)) or 0.0

    longest, bound = _longest(campaign, list(_named(step).values()), takes, step.timeout)
    if takes(longest) <= step.timeout:
        return ""
    recipe = told(longest)
    words = ", ".join(f"{key} {_shown(recipe[key], instrument, key)}" for key in step.recipe)
    time, most, enough = lab_time(takes(longest)), lab_time(step.timeout), lab_time(bound)
    found = " for the longest recipe found" if enough != time else ""
    takes_long = f"{station} takes {time}{found} ({words})"
    return f"{takes_long}, and the step may take {most}; {_enough(time, enough)}, or narrow the space"


def _enough(time: str, enough: str) -> str:
    """Return what to allow; where that is more than what was found, why."""
    return f"allow {enough}" + (", which is enough for every recipe of the space" if enough != time else "")


def _shown(value: Scalar, instrument: HasDuration, key: str) -> str:
    if isinstance(value, str):
        return value
    unit = instrument.unit_of(key)
    return f"{value:g}" if unit == "1" else f"{value:g} {unit}"


def _expected(campaign: Campaign, where: str, step: StepConfig) -> Iterator[Problem]:
    """Yield that a step is expected to take longer than it may."""
    if step.duration is None:
        return
    takes, bound = expected_duration(campaign, step, step.timeout)
    if takes > step.timeout:
        message = f"the step is expected to take {lab_time(takes)}, and may take {lab_time(step.timeout)}"
        yield Problem(
            f"{where}.timeout", f"{message}; {_enough(lab_time(takes), lab_time(bound))}, or correct duration"
        )


def expected_duration(campaign: Campaign, step: StepConfig, limit: float) -> tuple[float, float]:
    """Return how long a step takes at most [s], as it states, and a bound; without a statement, its time limit.

    Args:
        campaign: the space.
        step: may state a duration.
        limit: time within which it is to be done; the first number is exact only above it.
    """
    names = list(step.sums["duration"].coefficients) if "duration" in step.sums else []
    longest, bound = _longest(campaign, names, step.duration_of, limit)
    return step.duration_of(longest) or step.timeout, bound or step.timeout


def _named(step: StepConfig) -> dict[str, str]:
    """Return the settings that follow a parameter, with its name."""
    return {key: value[1:] for key, value in step.recipe.items() if isinstance(value, str) and value.startswith("$")}


def _recipe(campaign: Campaign, step: StepConfig, instrument: HasDuration, setting: Setting) -> dict[str, Scalar]:
    """Return what a step tells an instrument, in its units."""
    named, parameters = _named(step), campaign.space.all_parameters
    fixed = {key: constant(value, key, instrument) for key, value in step.recipe.items() if key not in named}
    return fixed | {k: converted(setting[n], parameters[n].unit, k, instrument) for k, n in named.items()}


def _longest(
    campaign: Campaign, names: Sequence[str], takes: Callable[[Setting], float], limit: float
) -> tuple[Setting, float]:
    """Return values of some parameters that may come together, and with which something takes long.

    Extremes of each bound it. Where they may not come together, and take too long, it is looked for in the space.

    Returns:
        The values, and a time within which it is done with all others, too.
    """
    space = campaign.space
    choices = [extremes(space.all_parameters[name]) for name in names]
    bound = math.inf
    if math.prod(map(len, choices)) <= _MOST_CORNERS:
        worst: Setting = max((dict(zip(names, values, strict=True)) for values in product(*choices)), key=takes)
        bound = takes(worst)
        if bound <= limit or _independent(campaign, names):
            return worst, bound
    longest = _longest_point(campaign, names, takes)
    return longest, bound if math.isfinite(bound) else takes(longest)


def _independent(campaign: Campaign, names: Sequence[str]) -> bool:
    """Return whether parameters may take their extremes together."""
    space = campaign.space
    bound = {name for rule in space.parsed_constraints for name in rule.names}
    bound |= {name for mixture in space.mixtures.values() for name in mixture.components}
    return space.rows is None and not bound & set(names) and not any(space.all_parameters[n].when for n in names)


def _longest_point(campaign: Campaign, names: Sequence[str], takes: Callable[[Setting], float]) -> Setting:
    """Return the values of some parameters at that of many points of the space with which something takes longest."""
    space = campaign.space
    otherwise = {name: parameter.otherwise for name, parameter in space.all_parameters.items()}

    def told(point: Setting) -> Setting:
        found = ((name, point.get(name, otherwise[name])) for name in names)
        return {name: value for name, value in found if value is not None}

    if space.table is not None:
        return max(map(told, space.table[:_ROWS]), key=takes)
    from loop.sampling.candidates import sobol  # scipy, which most campaigns need not yet

    points = sorted(sobol(space, _SAMPLES, campaign.seed), key=lambda point: takes(told(point)))[-_PUSHED:]
    orders = (tuple(names), tuple(reversed(names)))
    pushed = [_pushed(space, point, order, lambda one: takes(told(one))) for point in points for order in orders]
    return max(map(told, pushed), key=takes)


def _pushed(space: SpaceConfig, point: Setting, names: Sequence[str], takes: Callable[[Setting], float]) -> Setting:
    """Return a point that is pushed along each of some numbers as far as the space goes, where that takes longer."""
    for name in names:
        parameter = space.all_parameters[name]
        if name not in point or not isinstance(parameter, FloatConfig):
            continue
        for end in (parameter.low, parameter.high):
            further = _furthest(space, point, name, end)
            point = max(point, further, key=takes)
    return point


def _furthest(space: SpaceConfig, point: Setting, name: str, end: float) -> Setting:
    """Return a point moved towards one end of a parameter as far as the space goes, by bisection."""
    if space.allows({**point, name: end}):
        return {**point, name: end}
    inside, outside = float(point[name]), end
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if space.allows({**point, name: middle}) else (inside, middle)
    return {**point, name: inside}
