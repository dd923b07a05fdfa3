"""Whether a campaign can be run on its laboratory, told before anything is there: limits, recipes, time, order.

What only the instruments themselves can tell is named, and checked by ``run`` before the first trial.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, cast

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, Problem, suggestion
from campaigns.fidelity import MeasuredFidelityConfig, all_steps
from campaigns.lab import CustomLabConfig, EpicsLabConfig, StepConfig, VirtualLabConfig
from campaigns.load import located
from campaigns.parameters import FloatConfig
from campaigns.pool import GeneratorPoolConfig
from campaigns.space import SpaceConfig
from campaigns.units import convert
from campaigns.values import Scalar
from instruments.built_in import BUILT_IN, InstrumentFacts
from instruments.limits import Limits
from loop.analysis_facts import read_analysis
from loop.limits import Stated, constant, converted, extremes, missing_settings, outside_limits
from loop.prospects import prospects
from loop.words import lab_time

if TYPE_CHECKING:
    from simulators.bench import StationKind

Setting = Mapping[str, Scalar]
_MOST_CORNERS = 4096
_SAMPLES = 512
_PUSHED = 16
_BISECTIONS = 20
_ROWS = 20000
_WORLD = "surrogates.pools.prototypes:cathodes"
"""The pool whose materials the virtual lab can make."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of a station before anything is there.

    Attributes:
        kind: of the simulated instrument; empty where the instrument is not simulated.
        known: what its instrument may be told; None where only the instrument itself can tell.
        untold: settings whose limits only the instrument itself can tell.
        remote: what of it is read over EPICS.
        waits: what its module waits for beside lab time.
        delay: longest time after which it wants to be called by the lab's clock [s].
        unsound: why it cannot state what it may be told.
    """

    kind: str = ""
    known: InstrumentFacts | None = None
    untold: tuple[str, ...] = ()
    remote: str = ""
    waits: tuple[str, ...] = ()
    delay: float = 0.0
    unsound: str = ""


def check_lab(campaign: Campaign, file: Path) -> list[str]:
    """Check what can be told of a campaign's stations, steps and budget; return what is only to be noted.

    Args:
        campaign: the validated campaign.
        file: where it stands, for the lines, and for the modules beside it.

    Raises:
        CampaignError: the campaign would end badly, each problem with its line and what to do.
    """
    folder = file.absolute().parent
    places = {name: _place(campaign, name, folder) for name in campaign.stations}
    stated = {name: _stated(name, place) for name, place in places.items() if place.known is not None}
    problems = [
        *outside_limits(campaign, stated),
        *missing_settings(campaign, {n: p.known for n, p in places.items() if p.known is not None}),
        *_clock(campaign, places),
        *_unsound(campaign, places),
        *_samples(campaign, places),
        *_analyses(campaign, places, folder),
        *_faults(campaign),
    ]
    problems += [] if problems else [*_timeouts(campaign, places), *_durations(campaign)]
    if problems:
        raise CampaignError(located(dict.fromkeys(problems), file), str(file))
    return [*_untold(campaign, places), *_slow(campaign, places), *_world(campaign), *prospects(campaign)]


def _place(campaign: Campaign, name: str, folder: Path) -> Place:
    station = campaign.stations[name]
    if station.device is None:
        simulated = not isinstance(campaign.lab, CustomLabConfig)
        return Place(station.kind, BUILT_IN[station.kind]) if simulated else Place()
    from campaigns.definitions import define  # a library that most campaigns need not
    from loop.device_facts import read_device

    facts = read_device(define(station.device, folder))
    return Place("", facts.known, facts.untold, facts.remote, facts.waits, facts.delay, facts.unsound)


def _stated(name: str, place: Place) -> Stated:
    known = place.known or InstrumentFacts({})
    told = {key: one for key, one in known.settings.items() if key not in place.untold}
    ranges = {key: one.limits for key, one in told.items() if not one.choices}
    choices = {key: one.choices for key, one in told.items() if one.choices}
    units = {key: one.unit or "1" for key, one in told.items()}
    return Stated(Limits(name, ranges, choices), units, frozenset(place.untold))


def _clock(campaign: Campaign, places: Mapping[str, Place]) -> Iterator[Problem]:
    """Yield that real devices stand in a lab whose clock does not go as theirs."""
    lab = campaign.lab
    if isinstance(lab, CustomLabConfig) or (isinstance(lab, EpicsLabConfig) and lab.speed == 1):
        return
    clock = "skips waiting" if isinstance(lab, VirtualLabConfig) else f"runs {lab.speed:g} times as fast"
    advice = "use lab: {kind: custom, factory: ...} with an instruments.clock:WallClock"
    for name, place in places.items():
        if place.remote:
            path = campaign.stations[name].device
            yield Problem(
                f"stations.{name}.device",
                f"{path} is a real device ({place.remote}), and the clock of lab: {{kind: {lab.kind}}} {clock}: time "
                f"limits would pass before it has moved; {advice}",
            )


def _unsound(campaign: Campaign, places: Mapping[str, Place]) -> Iterator[Problem]:
    """Yield that an instrument cannot state what it may be told."""
    for name, place in places.items():
        if place.unsound:
            yield Problem(f"stations.{name}.device", f"{campaign.stations[name].device}: {place.unsound}")


def _samples(campaign: Campaign, places: Mapping[str, Place]) -> Iterator[Problem]:
    """Yield that a simulated instrument would have to measure what no furnace has made."""
    flows = {"workflow": campaign.workflow}
    for name, config in campaign.fidelities.items():
        if isinstance(config, MeasuredFidelityConfig):
            flows[f"fidelities.{name}.workflow"] = config.workflow
    for where, steps in flows.items():
        made = False
        for i, step in enumerate(steps):
            kinds = {places[station].kind for station in step.stations}
            if not made and kinds & {"diffractometer", "cycler"}:
                message = f"{step.name} measures a sample that no furnace has made; let a step at a furnace come first"
                yield Problem(f"{where}[{i}].stations", message)
            made = made or "furnace" in kinds


def _analyses(campaign: Campaign, places: Mapping[str, Place], folder: Path) -> Iterator[Problem]:
    """Yield that an analysis does not give what its step promises, or needs what is not there."""
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        facts = None if step.analysis is None else read_analysis(step.analysis, folder)
        if facts is None:
            continue
        for i, name in enumerate(step.gives):
            if name not in facts.gives:
                allowed = ", ".join(facts.gives) or "nothing"
                said = f"{step.analysis} does not give {name!r}{suggestion(name, facts.gives)}; it gives {allowed}"
                yield Problem(f"{where}.gives[{i}]", f"{said}: name one of these, or another analysis")
            elif trouble := _unit_trouble(facts.gives[name], campaign.metrics[name].unit):
                yield Problem(f"{where}.gives[{i}]", f"{step.analysis} gives {name} in {facts.gives[name]}: {trouble}")
        if facts.structure and campaign.space.pool is None:
            yield Problem(f"{where}.analysis", f"{step.analysis} needs the structure of a material; add space.pool")
        for station in step.stations:
            known = places[station].known
            lacking = [] if known is None else sorted(facts.needs - known.signals - set(known.settings))
            if lacking:
                got = f"{station} reads no {' and no '.join(lacking)}"
                yield Problem(f"{where}.analysis", f"{step.analysis} needs {', '.join(sorted(facts.needs))}, but {got}")


def _unit_trouble(given: str, wanted: str) -> str:
    try:
        if given:
            convert(1.0, given, wanted)
    except ValueError as error:
        return str(error)
    return ""


def _faults(campaign: Campaign) -> Iterator[Problem]:
    for i, fault in enumerate(campaign.lab.faults if isinstance(campaign.lab, VirtualLabConfig) else ()):
        if campaign.stations[fault.station].device is not None:
            message = f"{fault.station} is an instrument of your own, and only simulated ones take faults; remove it"
            yield Problem(f"lab.faults[{i}].station", message)


def _timeouts(campaign: Campaign, places: Mapping[str, Place]) -> Iterator[Problem]:
    """Yield that a simulated instrument cannot do a step in time with some settings of the space."""
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        for station in step.stations:
            if why := _too_long(campaign, step, station, places[station]):
                yield Problem(f"{where}.timeout", why)
                break


def _too_long(campaign: Campaign, step: StepConfig, station: str, place: Place) -> str:
    from simulators.durations import job_duration

    if not place.kind or place.known is None:
        return ""
    kind, stated, defaults = cast("StationKind", place.kind), _stated(station, place), place.known.defaults

    def told(setting: Setting) -> Setting:
        return {**defaults, **_recipe(campaign, step, stated, setting)}

    def takes(setting: Setting) -> float:
        return job_duration(kind, told(setting))

    longest, bound = _longest(campaign, list(_named(step).values()), takes, step.timeout)
    if takes(longest) <= step.timeout:
        return ""
    recipe, units = told(longest), place.known.settings
    words = ", ".join(f"{key} {_shown(recipe[key], units[key].unit)}" for key in step.recipe)
    time, most = lab_time(takes(longest)), lab_time(step.timeout)
    return (
        f"{station} takes {time} ({words}), and the step may take {most}; allow {lab_time(bound)}, or narrow the space"
    )


def _shown(value: Scalar, unit: str) -> str:
    return value if isinstance(value, str) else f"{value:g} {unit}".rstrip()


def _durations(campaign: Campaign) -> Iterator[Problem]:
    """Yield that a step is expected to take longer than it may."""
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        if step.duration is None:
            continue
        names = list(step.sums["duration"].coefficients) if "duration" in step.sums else []
        longest, bound = _longest(campaign, names, step.duration_of, step.timeout)
        if (takes := step.duration_of(longest)) > step.timeout:
            message = f"the step is expected to take {lab_time(takes)}, and may take {lab_time(step.timeout)}"
            yield Problem(f"{where}.timeout", f"{message}; allow {lab_time(bound)}, or correct duration")


def _named(step: StepConfig) -> dict[str, str]:
    """Return the settings that follow a parameter, with its name."""
    return {key: value[1:] for key, value in step.recipe.items() if isinstance(value, str) and value.startswith("$")}


def _recipe(campaign: Campaign, step: StepConfig, stated: Stated, setting: Setting) -> dict[str, Scalar]:
    """Return what a step tells an instrument, in its units."""
    named, parameters = _named(step), campaign.space.all_parameters
    fixed = {key: constant(value, key, stated) for key, value in step.recipe.items() if key not in named}
    return fixed | {k: converted(setting[n], parameters[n].unit, k, stated) for k, n in named.items()}


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
    from loop.sampling import sobol  # scipy, which most campaigns need not yet

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


def _untold(campaign: Campaign, places: Mapping[str, Place]) -> Iterator[str]:
    """Yield what is left to the instruments themselves."""
    for name, place in places.items():
        if place.known is None:
            yield f"{name}: its settings and limits are not written in its source; run asks the instrument for them"
        elif place.untold:
            yield f"{name}: the limits of {', '.join(place.untold)} are checked at run, when the instrument states them"
        if place.waits and not isinstance(campaign.lab, CustomLabConfig):
            yield (
                f"{name}: {campaign.stations[name].device} uses {', '.join(place.waits)}, and the clock of lab: "
                f"{{kind: {campaign.lab.kind}}} does not wait for it: time limits may pass at once; a real device "
                "needs lab: {kind: custom}"
            )


def _slow(campaign: Campaign, places: Mapping[str, Place]) -> Iterator[str]:
    """Yield that an instrument of the user's own seems to take longer than its step may."""
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        for station in step.stations:
            if (delay := places[station].delay) > step.timeout:
                device, most = campaign.stations[station].device, lab_time(step.timeout)
                yield f"{where}.timeout: {device} asks for {lab_time(delay)}, and the step may take {most}"


def _world(campaign: Campaign) -> Iterator[str]:
    pool = campaign.space.pool
    simulated = any(station.device is None for station in campaign.stations.values())
    if pool is None or not simulated or isinstance(campaign.lab, CustomLabConfig):
        return
    if not isinstance(pool, GeneratorPoolConfig) or pool.function != _WORLD:
        yield f"the simulated instruments can make only the materials of {_WORLD}; run refuses a pool with others"
