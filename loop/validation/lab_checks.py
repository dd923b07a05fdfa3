"""Whether a campaign can be run on its laboratory, told before anything is there: limits, recipes, time, order.

What only the instruments themselves can tell is named, and checked by ``run`` before the first trial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from campaigns.campaign import Campaign
from campaigns.checks.manual_consistency import MANUAL
from campaigns.errors import CampaignError, Problem, suggestion
from campaigns.fidelity import MeasuredFidelityConfig, all_steps
from campaigns.lab.lab_file import FileLabConfig
from campaigns.lab.laboratory import (
    CustomLabConfig,
    EpicsLabConfig,
    LabConfig,
    RealLabConfig,
    StationConfig,
    StepConfig,
    VirtualLabConfig,
)
from campaigns.load import located
from campaigns.pool_source import GeneratorPoolConfig
from campaigns.units import convert
from campaigns.values import Scalar, lab_time
from instruments.built_in import BUILT_IN, InstrumentFacts
from instruments.limits import Limits
from loop.validation.analysis_facts import PLAIN_READINGS, read_analysis
from loop.validation.calendar_checks import calendar_problems
from loop.validation.limit_checks import RecordedLimits, missing_settings, misstated, outside_limits
from loop.validation.machine_lab import past_machine_lab
from loop.validation.manual_checks import manual_facts, unsimulated
from loop.validation.safety_checks import rule_problems, unstoppable
from loop.validation.sample_notes import sample_notes
from loop.validation.standard_checks import standard_problems
from loop.validation.time_limits import late_steps
from loop.validation.unreachable import unreachable
from simulators.durations import job_duration
from simulators.shared_state import StationKind
from simulators.simulated_experiment import shipped_experiment

_WORLD = "surrogates.pools.prototypes:cathodes"
"""The pool whose materials the virtual lab can make."""


@dataclass(frozen=True, slots=True)
class StationFacts:
    """What is known of a station before anything is there.

    Attributes:
        kind: of the simulated instrument; empty where the instrument is not simulated, or is no kind of Athanor's.
        takes: how long a job of a simulated instrument takes [s], by its recipe; None where that is not known.
        known: what its instrument may be told; None where only the instrument itself can tell.
        untold: settings whose limits only the instrument itself can tell.
        remote: what of it is read over EPICS.
        waits: what its module waits for beside lab time.
        delay: shortest time after which it wants to be called by the lab's clock [s]; 0 where that is not known.
        unsound: why it cannot state what it may be told.
        plain: whether plain ophyd devices stand there, of which only they themselves know what is read.
        places: how many samples a job of a user's own instrument takes; None where only that itself can tell.
    """

    kind: str = ""
    known: InstrumentFacts | None = None
    takes: Callable[[Mapping[str, Scalar]], float] | None = None
    untold: tuple[str, ...] = ()
    remote: str = ""
    waits: tuple[str, ...] = ()
    delay: float = 0.0
    unsound: str = ""
    plain: bool = False
    places: int | None = None


def check_lab(campaign: Campaign, file: Path, *, begun: bool = False) -> list[str]:
    """Check what can be told of a campaign's stations, steps and budget; return what is only to be noted.

    Args:
        campaign: the validated campaign.
        file: where it stands, for the lines, and for the modules beside it.
        begun: the campaign has a store, so that its steps can be changed no more: time limits are only noted.

    Raises:
        CampaignError: the campaign would end badly, each problem with its line and what to do.
    """
    folder = file.absolute().parent
    places = {name: _place(campaign, name, folder) for name in campaign.stations}
    stated = {name: _stated(name, place) for name, place in places.items() if place.known is not None}
    told = {name: place.known for name, place in places.items() if place.known is not None}
    problems = [
        *past_machine_lab(campaign),
        *misstated(campaign, stated),
        *outside_limits(campaign, stated),
        *missing_settings(campaign, {n: p.known for n, p in places.items() if p.known is not None}),
        *_clock(campaign, places),
        *_unsound(campaign, places),
        *_plain(campaign, places, folder),
        *_samples(campaign, places),
        *unsimulated(campaign),
        *_analyses(campaign, places, folder),
        *_named_signals(campaign, places),
        *_faults(campaign),
        *calendar_problems(campaign),
        *_loads(campaign, places),
        *_shared_mixtures(campaign, places),
        *rule_problems(campaign, told, folder),
        *standard_problems(campaign, told, folder),
    ]
    late = [] if problems else [*late_steps(campaign, _simulated(stated, places)), *_slow(campaign, places)]
    if problems or (late and not begun):
        raise CampaignError(located(dict.fromkeys([*problems, *late]), file), str(file))
    slow = [f"{one.where}: {one.message}" for one in late]
    noted = [*_untold(campaign, places), *unstoppable(campaign, folder)]
    return [*noted, *slow, *_world(campaign), *unreachable(campaign), *sample_notes(campaign)]


@dataclass(frozen=True, slots=True)
class _Simulated:
    """A simulated instrument, as far as it is known before it is there."""

    stated: RecordedLimits
    defaults: Mapping[str, Scalar]
    takes: Callable[[Mapping[str, Scalar]], float]

    @property
    def limits(self) -> Limits:
        return self.stated.limits

    def unit_of(self, setting: str) -> str:
        return self.stated.unit_of(setting)

    def job_duration(self, recipe: Mapping[str, Scalar]) -> float:
        return self.takes(recipe)


def _simulated(stated: Mapping[str, RecordedLimits], places: Mapping[str, StationFacts]) -> dict[str, _Simulated]:
    told = ((name, place.known, place.takes) for name, place in places.items())
    return {name: _Simulated(stated[name], known.defaults, takes) for name, known, takes in told if known and takes}


def _place(campaign: Campaign, name: str, folder: Path) -> StationFacts:
    station = campaign.stations[name]
    if station.experiment is not None:
        experiment = shipped_experiment(station.experiment)
        return StationFacts() if experiment is None else StationFacts("", experiment.facts, experiment.duration)
    if station.kind == MANUAL:
        return StationFacts(known=manual_facts(campaign, name))
    if not station.bound and station.plan is None:
        if isinstance(campaign.lab, CustomLabConfig):
            return StationFacts()
        kind = cast(StationKind, station.kind)
        return StationFacts(kind, BUILT_IN[kind], partial(job_duration, kind))
    from campaigns.user_code.definitions import define  # a library that most campaigns need not
    from loop.validation.binding_checks import has_plain_devices, plain_facts
    from loop.validation.device_facts import read_device

    if station.plan is not None or station.device is None or has_plain_devices(station, folder):
        known, untold = plain_facts(station)
        steps = (step for _, step in all_steps(campaign.workflow, campaign.fidelities) if name in step.stations)
        named = {key for step in steps for key in step.recipe}
        return StationFacts(known=known, untold=(*untold, *sorted(named - set(known.settings))), plain=True)
    facts = read_device(define(station.device, folder))
    return StationFacts(
        known=facts.known,
        untold=facts.untold,
        remote=facts.remote,
        waits=facts.waits,
        delay=facts.delay,
        unsound=facts.unsound,
        places=facts.places,
    )


def _stated(name: str, place: StationFacts) -> RecordedLimits:
    known = place.known or InstrumentFacts({})
    told = {key: one for key, one in known.settings.items() if key not in place.untold}
    ranges = {key: one.limits for key, one in told.items() if not one.choices}
    choices = {key: one.choices for key, one in told.items() if one.choices}
    units = {key: one.unit or "1" for key, one in told.items()}
    return RecordedLimits(Limits(name, ranges, choices), units, frozenset(place.untold))


def _clock(campaign: Campaign, places: Mapping[str, StationFacts]) -> Iterator[Problem]:
    """Yield that real devices stand in a lab whose clock does not go as theirs."""
    lab = campaign.lab
    if _on_the_wall(lab):
        return
    clock = "skips waiting" if isinstance(lab, VirtualLabConfig) else f"runs {lab.speed:g} times as fast"  # type: ignore[union-attr]
    advice = "use lab: {kind: real}, or a custom one with an instruments.clock:WallClock"
    for name, place in places.items():
        if place.remote or place.plain or campaign.stations[name].process:
            kind = f"a real device ({place.remote})" if place.remote else _in_wall_time(place)
            station = campaign.stations[name]
            paths = [station.plan] if station.plan else [one.device for one in station.bound.values()]
            for path in paths:
                yield Problem(
                    f"stations.{name}.{'plan' if station.plan else 'device'}",
                    f"{path} is {kind}, and the clock of lab: {{kind: {lab.kind}}} {clock}: time "
                    f"limits would pass before it has moved; {advice}",
                )


def _in_wall_time(place: StationFacts) -> str:
    what = "a plan or a plain device" if place.plain else "in a process of its own"
    return f"{what}, which works in wall time"


def _on_the_wall(lab: LabConfig | FileLabConfig) -> bool:
    """Return whether lab time is, or may be, wall time."""
    return isinstance(lab, CustomLabConfig | RealLabConfig) or (isinstance(lab, EpicsLabConfig) and lab.speed == 1)


def _plain(campaign: Campaign, places: Mapping[str, StationFacts], folder: Path) -> Iterator[Problem]:
    """Yield what of plain devices cannot be bound, and what is said of them at stations that have none."""
    names = [name for name, place in places.items() if place.plain]
    if names:
        from loop.validation.binding_checks import plain_problems

        yield from plain_problems(campaign, names, folder)
    for name, station in campaign.stations.items():
        for key in ("setpoints", "units"):
            if getattr(station, key) and not places[name].plain and station.kind != MANUAL:
                message = f"{station.device} is a JobInstrument, which states its settings itself; remove {key}"
                yield Problem(f"stations.{name}.{key}", message)


def _unsound(campaign: Campaign, places: Mapping[str, StationFacts]) -> Iterator[Problem]:
    """Yield that an instrument cannot state what it may be told."""
    for name, place in places.items():
        if place.unsound:
            yield Problem(f"stations.{name}.device", f"{campaign.stations[name].device}: {place.unsound}")


def _samples(campaign: Campaign, places: Mapping[str, StationFacts]) -> Iterator[Problem]:
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


def _analyses(campaign: Campaign, places: Mapping[str, StationFacts], folder: Path) -> Iterator[Problem]:
    """Yield that an analysis does not give what its step promises, or needs what is not there."""
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        facts = None if step.analysis is None else read_analysis(step.analysis, folder)
        if facts is None:
            continue
        if facts.same_name:
            yield from _unread(where, step, places)
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
            known = _readable(places[station])
            lacking = [] if known is None else sorted(facts.needs - known.signals - set(known.settings))
            if lacking:
                got = f"{station} reads no {' and no '.join(lacking)}"
                yield Problem(f"{where}.analysis", f"{step.analysis} needs {', '.join(sorted(facts.needs))}, but {got}")


def _readable(place: StationFacts) -> InstrumentFacts | None:
    """Return what is known of a station if that includes what is read there."""
    return None if place.plain else place.known


def _unread(where: str, step: StepConfig, places: Mapping[str, StationFacts]) -> Iterator[Problem]:
    """Yield the metrics that no signal of their name is read for."""
    for i, name in enumerate(step.gives):
        for station in step.stations:
            known = _readable(places[station])
            if known is not None and name not in known.signals:
                allowed = ", ".join(sorted(known.signals))
                message = f"{station} reads no {name}{suggestion(name, known.signals)}; it reads {allowed}"
                yield Problem(f"{where}.gives[{i}]", message)


def _named_signals(campaign: Campaign, places: Mapping[str, StationFacts]) -> Iterator[Problem]:
    """Yield metrics for which no signal is named, and signals that a station does not read, where that is known."""
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        if step.analysis != PLAIN_READINGS:
            continue
        named = step.analysis_settings.get("signals")
        signals = named if isinstance(named, Mapping) else {}
        for i, metric in enumerate(step.gives):
            if metric not in signals:
                message = f"{step.analysis} takes {metric} from no signal; add signals: {{{metric}: SIGNAL}}"
                yield Problem(f"{where}.gives[{i}]", f"{message} to analysis_settings")
        for station in step.stations:
            read = _read_at(campaign, step, station, places[station])
            wrong = {} if read is None else {n: str(s) for n, s in signals.items() if not _is_read(str(s), read)}
            for metric, signal in wrong.items():
                message = f"{station} reads no {signal}{suggestion(signal, read or ())}"
                there = f"it reads {', '.join(read or ()) or 'nothing'}"
                yield Problem(f"{where}.analysis_settings.signals.{metric}", f"{message}; {there}")


def _is_read(signal: str, read: Sequence[str]) -> bool:
    """Return whether a signal is one of those that are read, or one of a part with signals of its own."""
    return any(signal == one or signal.startswith(f"{one}_") for one in read)


def _read_at(campaign: Campaign, step: StepConfig, station: str, place: StationFacts) -> list[str] | None:
    """Return what a station reads in a step; None where only its devices know."""
    if campaign.stations[station].kind == MANUAL:
        return sorted({*step.asks, *campaign.stations[station].setpoints})
    known = _readable(place)
    return None if known is None else sorted({*known.signals, *known.settings})


def _unit_trouble(given: str, wanted: str) -> str:
    try:
        if given:
            convert(1.0, given, wanted)
    except ValueError as error:
        return str(error)
    return ""


def _faults(campaign: Campaign) -> Iterator[Problem]:
    for i, fault in enumerate(campaign.lab.faults if isinstance(campaign.lab, VirtualLabConfig) else ()):
        station = campaign.stations[fault.station]
        if station.device is not None or station.kind == MANUAL:
            who = "a person" if station.kind == MANUAL else "an instrument of your own"
            message = f"{fault.station} is {who}, and only simulated ones take faults; remove it"
            yield Problem(f"lab.faults[{i}].station", message)


def _loads(campaign: Campaign, places: Mapping[str, StationFacts]) -> Iterator[Problem]:
    """Yield that a station that takes one sample for a job is to take several, or shares what it has not."""
    for name, station in campaign.stations.items():
        most = places[name].places
        if station.capacity > 1 and (why := _single(station, places[name])):
            yield Problem(f"stations.{name}.capacity", f"{why}; remove capacity")
        elif most is not None and station.capacity > most:
            message = f"got {station.capacity}; allowed: at most {most}, as {station.device} has place_count places"
            yield Problem(f"stations.{name}.capacity", message)
        known = places[name].known
        if station.shared and station.device is not None:
            message = f"{station.device} says itself what each place has of its own; remove shared"
            yield Problem(f"stations.{name}.shared", message)
            continue
        for i, key in enumerate(station.shared if known is not None else ()):
            if known is not None and key not in known.settings:
                listed = ", ".join(known.settings)
                message = f"{name} has no setting {key!r}{suggestion(key, known.settings)}; allowed: {listed}"
                yield Problem(f"stations.{name}.shared[{i}]", message)


def _shared_mixtures(campaign: Campaign, places: Mapping[str, StationFacts]) -> Iterator[Problem]:
    """Yield settings that all samples of a load share and that follow a component of a mixture.

    The planner fills a load with what is fixed; one share of a mixture depends on the others, and is not.
    """
    mixture_of = {part: name for name, one in campaign.space.mixtures.items() for part in one.components}
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        for name in step.stations:
            station, known = campaign.stations[name], places[name].known
            if station.capacity == 1 or known is None:
                continue
            told = {key: str(value)[1:] for key, value in step.recipe.items() if str(value).startswith("$")}
            for key in told.keys() - known.own(station.shared):
                if told[key] in mixture_of:
                    what = f"{key} follows {told[key]}, a component of the mixture {mixture_of[told[key]]}"
                    advice = f"let each sample have its own ({key} not in shared), or capacity: 1"
                    message = f"{what}, and no load can hold one share of several that add up; {advice}"
                    yield Problem(f"{where}.recipe.{key}", message)


def _single(station: StationConfig, place: StationFacts) -> str:
    """Return why a station takes one sample for a job; empty if it may take several, or nobody knows before run."""
    if place.plain and station.plan is None:
        return "plain devices know no places, so that a job is of one sample; a plan of yours may take several"
    if place.places == 1:
        return f"{station.device} takes one sample for a job, unless instruments.places:with_places makes more of it"
    if place.kind and not BUILT_IN[place.kind].loads:
        return f"a {place.kind} measures one sample after another, each in a job of its own"
    return ""


def _untold(campaign: Campaign, places: Mapping[str, StationFacts]) -> Iterator[str]:
    """Yield what is left to the instruments themselves."""
    for name, place in places.items():
        if place.known is None:
            yield f"{name}: its settings and limits are not written in its source; run asks the instrument for them"
        elif place.untold:
            yield f"{name}: the limits of {', '.join(place.untold)} are checked at run, when the instrument states them"
        if place.waits and not isinstance(campaign.lab, CustomLabConfig | RealLabConfig):
            yield (
                f"{name}: {campaign.stations[name].device} uses {', '.join(place.waits)}, and the clock of lab: "
                f"{{kind: {campaign.lab.kind}}} does not wait for it: time limits may pass at once; a real device "
                "needs lab: {kind: real}"
            )


def _slow(campaign: Campaign, places: Mapping[str, StationFacts]) -> Iterator[Problem]:
    """Yield that an instrument of the user's own asks the lab's clock for more time than its step has."""
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        for station in step.stations:
            if (delay := places[station].delay) > step.timeout:
                asks = f"{campaign.stations[station].device} asks the lab's clock for {lab_time(delay)} to do a job"
                message = f"{asks}, and the step may take {lab_time(step.timeout)}; allow more time"
                yield Problem(f"{where}.timeout", message)


def _world(campaign: Campaign) -> Iterator[str]:
    pool = campaign.space.pool
    simulated = any(
        station.kind not in ("device", "simulated", "plan", MANUAL) for station in campaign.stations.values()
    )
    if pool is None or not simulated or isinstance(campaign.lab, CustomLabConfig):
        return
    if not isinstance(pool, GeneratorPoolConfig) or pool.function != _WORLD:
        yield f"the simulated instruments can make only the materials of {_WORLD}; run refuses a pool with others"
