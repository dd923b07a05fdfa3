"""What a lab file says: stations with their bindings, and what nothing may be told to do there, whoever asks.

A lab file stands apart from campaigns: whoever answers for the instruments writes it, and no campaign widens it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from campaigns.config import Config, Constant, DottedPath, Name, OwnQuantity, Seconds, Unit
from campaigns.errors import PlacedError, UnitError, suggestion
from campaigns.lab.calibration_standard import StandardConfig
from campaigns.lab.conditions import Condition, condition
from campaigns.lab.consumables import ConsumableConfig
from campaigns.lab.laboratory import LabConfig, StationConfig
from campaigns.lab.opening_hours import CalendarConfig
from campaigns.lab.sample_steps import PositionConfig
from campaigns.lab.setpoints import Part, SetpointConfig
from campaigns.relative_paths import PARENT
from campaigns.units import convert, convert_difference, split_quantity, to_unit
from campaigns.values import Scalar, is_number

MATERIAL = "material"
"""What the id of a pool's material is called in forbidden combinations."""
STOP = "stop"
"""In the place of a value of a safe state: the part is stopped where it is."""


def _rate(value: Any, info: ValidationInfo) -> float:
    """Return a highest rate of change, in the unit beside it per second: 5 K/min of a temperature in degC are 1/12."""
    unit = info.data.get("unit")
    if not isinstance(value, str):
        raise ValueError(f"got {value!r}; allowed: a change per time, such as 5 K/min")  # noqa: TRY004 - for pydantic
    number, given = split_quantity(value)
    change, _, time = given.rpartition("/")
    if not change or unit is None:
        raise ValueError(f"got {value!r}; allowed: a change per time, such as 5 K/min, of a number with a unit")
    return convert_difference(number, change, unit) / to_unit(f"1 {time}", "s")


Rate = Annotated[
    float, BeforeValidator(_rate), Field(gt=0), WithJsonSchema({"type": "string", "x-unit": "its own unit, per time"})
]
ConditionText = Annotated[str, AfterValidator(lambda text: condition(text).text)]


class LimitConfig(Config):
    """What a setting may be at most, whoever asks. Its unit is that of the instrument."""

    unit: Unit | None = None
    """Unit of the number; it has to be that of the instrument."""
    low: OwnQuantity | None = None
    """Lowest value that is allowed."""
    high: OwnQuantity | None = None
    """Highest value that is allowed."""
    rate: Rate | None = None
    """How fast the setpoint of a plain device may change, such as 5 K/min: it is moved in steps of a second."""
    choices: tuple[str, ...] = ()
    """The texts that are allowed, of a setting that is text."""

    @model_validator(mode="after")
    def _number_or_text(self) -> Self:
        numeric = [key for key in ("unit", "low", "high", "rate") if getattr(self, key) is not None]
        if self.choices and numeric:
            raise ValueError(f"choices are of a text, and {numeric[0]} is of a number; remove one of them")
        if not self.choices and (self.unit is None or self.low is None or self.high is None):
            raise ValueError("a number needs unit, low and high (1 is the unit of a plain number); a text, choices")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"got {self.low:g} to {self.high:g}; allowed: from the lowest to the highest value")
        return self

    def refuses(self, value: Any) -> str:
        """Return why a value, in the unit of the limit, may not be set; empty if it may."""
        if self.choices:
            fits = isinstance(value, str) and value in self.choices
            return "" if fits else f"got {value!r}; allowed: {', '.join(self.choices)}"
        low, high = self.range
        fits = is_number(value) and low <= value <= high
        return "" if fits else f"got {shown_value(value, self.unit)}; allowed: {low:g} to {high:g} {self.unit}"

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest value of a number."""
        assert self.low is not None  # noqa: S101 - as of every number
        assert self.high is not None  # noqa: S101 - the same
        return self.low, self.high

    def tightened(self, other: LimitConfig) -> LimitConfig:
        """Return what both limits allow.

        Raises:
            ValueError: they allow nothing together, or one allows what the other, wider one does not state.
        """
        if bool(self.choices) != bool(other.choices):
            raise ValueError("one is of a text and one of a number")
        if self.choices:
            if more := [one for one in other.choices if one not in self.choices]:
                raise ValueError(f"got {', '.join(more)}; the lab file allows {', '.join(self.choices)}")
            return other
        assert self.unit is not None  # noqa: S101 - as of every number
        low, high = (convert(end, other.unit or "1", self.unit) for end in other.range)
        if low < self.range[0] or high > self.range[1]:
            own = f"{self.range[0]:g} to {self.range[1]:g} {self.unit}"
            raise ValueError(f"got {low:g} to {high:g} {self.unit}; the lab file allows {own}")
        rates = [rate for rate in (self.rate, _in(other, self.unit)) if rate is not None]
        return self.model_copy(update={"low": low, "high": high, "rate": min(rates, default=None)})


def _in(other: LimitConfig, unit: str) -> float | None:
    return None if other.rate is None else convert_difference(other.rate, other.unit or "1", unit)


def shown_value(value: Any, unit: str | None) -> str:
    """Return a value with its unit, for people; what is no number as it is."""
    return f"{value:g}{'' if unit in (None, '1') else f' {unit}'}" if is_number(value) else repr(value)


class ReadingConfig(Config):
    """What interlocks look at: a device of its own, or a signal of a station."""

    device: DottedPath | None = None
    """Class of an ophyd device or signal, or such a device itself."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class, such as read_pv."""
    station: Name | None = None
    """The station of which a signal is read."""
    signal: Part | None = None
    """Part of the device, or of the station's, that is read; of a station's device: its name, then the part."""
    unit: Unit | None = None
    """Unit of a number; it has to be that of the device, if that states one."""
    patience: Seconds = 5.0
    """How long its last value counts when it cannot be read any more; no job begins meanwhile."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.device is None) == (self.station is None):
            raise ValueError("device or station says what is read; give one of them")
        if self.station is not None and (self.signal is None or self.settings):
            raise ValueError("a station's reading needs signal, and takes no settings")
        return self


class LabStationConfig(StationConfig):
    """A station, all that a campaign's may say, and what nobody may tell it."""

    limits: dict[Part, LimitConfig] = Field(default_factory=dict)
    """Setting, or part of a device (heater.setpoint), to its hard limits."""
    requires: tuple[ConditionText, ...] = ()
    """What has to hold before anything moves, and during jobs: 'door == closed and coolant > 0.5 L/min'."""
    safe: dict[Part, Constant] = Field(default_factory=dict)
    """The safe state: part of a device, or signal of an instrument, to its value, in the order in which they are set;
    stop, for a device that is stopped. Without it, devices are stopped, and an instrument gives up its job."""

    calendar: CalendarConfig | None = None
    """When jobs may begin there; without it, at any time."""
    standard: StandardConfig | None = None
    """What it measures again and again to show that it is still right."""

    @model_validator(mode="after")
    def _safe_within_limits(self) -> Self:
        told = ((part, value) for part, value in self.safe.items() if value != STOP)
        wrong = [(f"safe.{part}", why) for part, value in told if (why := self._refuses_safe(part, value))]
        if wrong:
            raise PlacedError(wrong)
        return self

    @model_validator(mode="after")
    def _guarded_here(self) -> Self:
        beyond = [key for key in ("safe", "plan", "devices", "setpoints") if getattr(self, key)]
        beyond += ["limits"] if any("." in part or one.rate is not None for part, one in self.limits.items()) else []
        if self.process and beyond:
            message = f"a driver in a process of its own is not guarded there, so that {beyond[0]} would be passed"
            raise PlacedError([("process", f"{message}; remove process, or {beyond[0]}")])
        return self

    @property
    def safe_values(self) -> dict[str, Scalar]:
        """Part to its value in the safe state, in the unit of the setpoint that moves it, or of its limits."""
        return {part: in_unit_of(next(self._rules_of(part), None), value) for part, value in self.safe.items()}

    def _refuses_safe(self, part: str, value: Scalar) -> str:
        """Return why a part may not have a value in the safe state; empty if it may."""
        rules = list(self._rules_of(part))
        try:
            reasons = (rule.refuses(in_unit_of(rule, value)) for rule in rules)
            why = next(filter(None, reasons), "")
        except UnitError as error:
            why = str(error)
        return why if rules else _unknown_unit(part, value)

    def _rules_of(self, part: str) -> Iterator[LimitConfig]:
        """Yield what a part may be: by the setpoints that move it, and by the limits for it and for these."""
        moving = [
            key for key, one in self.setpoints.items() if self._plain(part) in (key, self._plain(one.signal or key))
        ]
        yield from (_limit_of(self.setpoints[key]) for key in moving)
        yield from (self.limits[key] for key in dict.fromkeys([part, *moving]) if key in self.limits)

    def _plain(self, part: str) -> str:
        """Return the name of a part without that of the device, where there is only one."""
        first, _, rest = part.partition(".")
        return rest if rest and [*self.bound] == [first] else part


def _limit_of(setpoint: SetpointConfig) -> LimitConfig:
    """Return what a setpoint may be, as far as the file says so."""
    low, high = setpoint.limits or (-math.inf, math.inf)
    return LimitConfig.model_construct(unit=setpoint.unit, low=low, high=high, choices=setpoint.choices)


def _unknown_unit(part: str, value: Scalar) -> str:
    """Return why a value of a part of which nobody states the unit is refused: if it has a unit; else empty."""
    if not isinstance(value, str) or not re.match(r"\s*[-+]?\.?[0-9]", value):
        return ""
    advice = (
        f"write a plain number as the device takes it, or add limits: {{{part}: {{unit: ..., low: ..., high: ...}}}}"
    )
    return f"got {value!r}, and nothing says the unit of {part}; {advice} (choices of a text)"


def in_unit_of(limit: LimitConfig | None, value: Scalar) -> Scalar:
    """Return a constant in the unit of a limit; of choices, and where no limit is stated, as it is.

    Raises:
        UnitError: it has another kind of unit, or a unit where none is stated.
    """
    if limit is None or limit.choices or value == STOP:
        return value
    if limit.unit is None and isinstance(value, str) and split_quantity(value)[1]:
        raise UnitError(f"got {value!r}, and no unit to convert it to; add unit to the setpoint, or write a number")
    return to_unit(value, limit.unit or "1")


class LabFileConfig(Config):
    """A laboratory: its stations, and what nobody may tell them."""

    lab: LabConfig
    """The laboratory, as a campaign's lab says it."""
    stations: Annotated[dict[Name, LabStationConfig], Field(min_length=1)]
    """Name to station."""
    readings: dict[Part, ReadingConfig] = Field(default_factory=dict)
    """Name to what interlocks look at; a name may have dots (coolant.flow)."""
    forbidden: tuple[ConditionText, ...] = ()
    """Combinations that are never set together: 'furnace.gas == hydrogen and furnace.temperature > 600 degC',
    'furnace.gas == oxygen and material == Li2S'."""
    positions: dict[Name, PositionConfig] = Field(default_factory=dict)
    """Name to a place where samples lie."""
    consumables: dict[Name, ConsumableConfig] = Field(default_factory=dict)
    """Name to what steps use up."""
    emergency: tuple[ConditionText, ...] = ()
    """Readings at which an emergency stop of the whole laboratory is made: 'button == pressed'."""
    reservation_timeout: Seconds = 60.0
    """How long a station stays reserved for a campaign whose run is away, once its job there has ended."""

    _path: Path = PrivateAttr(default_factory=lambda: Path("lab.yaml"))

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        self._path = (info.context or {}).get(PARENT, Path()) / "lab.yaml"
        if problems := list(self._problems()):
            raise PlacedError(problems)
        return self

    @property
    def units(self) -> dict[str, str]:
        """Name of a reading, or of a setting as ``station.setting``, to its unit, of all that have one."""
        found = {name: reading.unit for name, reading in self.readings.items()}
        for station, config in self.stations.items():
            found |= {f"{station}.{key}": one.unit for key, one in config.setpoints.items()}
            found |= {f"{station}.{key}": one.unit for key, one in config.limits.items()}
        return {name: unit for name, unit in found.items() if unit is not None}

    @property
    def stop_file(self) -> Path:
        """The file that stands for an emergency stop of this laboratory, while it is there."""
        return self._path.with_suffix(".stop")

    @property
    def path(self) -> Path:
        """The lab file."""
        return self._path

    @property
    def is_simulated(self) -> bool:
        """Whether all instruments are simulated, so that each campaign has its own."""
        own = any(one.bound or one.plan is not None for one in self.stations.values())
        return self.lab.kind in ("virtual", "epics") and not own

    def at(self, path: Path) -> Self:
        """Take note of the file that it was read from."""
        self._path = path
        return self

    def required(self, station: str) -> tuple[Condition, ...]:
        """Return what a station requires, in the units of the readings."""
        return tuple(condition(text).in_units(self.units) for text in self.stations[station].requires)

    @property
    def combinations(self) -> tuple[Condition, ...]:
        """The forbidden combinations, in the units of the settings."""
        return tuple(condition(text).in_units(self.units) for text in self.forbidden)

    @property
    def alarms(self) -> tuple[Condition, ...]:
        """Readings at which an emergency stop is made, in their units."""
        return tuple(condition(text).in_units(self.units) for text in self.emergency)

    def _problems(self) -> Iterator[tuple[str, str]]:
        """Yield names that stand for nothing, and quantities of another kind than what they are compared with."""
        for name, station in self.stations.items():
            for i, text in enumerate(station.requires):
                yield from _wrong(text, f"stations.{name}.requires[{i}]", list(self.readings), self.units)
        for i, text in enumerate(self.emergency):
            yield from _wrong(text, f"emergency[{i}]", list(self.readings), self.units)
        settings = [MATERIAL, *(f"{s}.{key}" for s, one in self.stations.items() for key in _settings(one))]
        for i, text in enumerate(self.forbidden):
            yield from _wrong(text, f"forbidden[{i}]", settings, self.units)
            yield from self._unheard_of(text, f"forbidden[{i}]")
        for name, reading in self.readings.items():
            if reading.station is not None and reading.station not in self.stations:
                hint = suggestion(reading.station, self.stations)
                yield f"readings.{name}.station", f"unknown name {reading.station!r}{hint}"

    def _unheard_of(self, text: str, where: str) -> Iterator[tuple[str, str]]:
        """Yield the texts of a combination that its setting can never have, so that it would forbid nothing."""
        for name, value in condition(text).compared:
            station, _, key = name.partition(".")
            config = self.stations.get(station)
            choices = [] if config is None else _choices(config, key)
            if choices and value not in choices:
                hint = suggestion(value, choices) if isinstance(value, str) else ""
                yield where, f"{text!r} compares {name} with {value!r}{hint}; allowed: {', '.join(choices)}"


def _choices(station: LabStationConfig, key: str) -> list[str]:
    """Return the texts that a setting may have, by its limits and its setpoint; nothing where it is a number."""
    limit, setpoint = station.limits.get(key), station.setpoints.get(key)
    found = [*(() if limit is None else limit.choices), *(() if setpoint is None else setpoint.choices)]
    return list(dict.fromkeys(found))


def _settings(station: LabStationConfig) -> list[str]:
    """Return what forbidden combinations may name of a station: what the lab file says units or choices of."""
    return list(dict.fromkeys([*station.limits, *station.setpoints]))


def _wrong(text: str, where: str, allowed: list[str], units: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    found = condition(text)
    for name in found.names:
        if name not in allowed:
            listed = ", ".join(allowed) or "none"
            message = f"{text!r} names {name!r}{suggestion(name, allowed)}; allowed: {listed}"
            yield where, f"{message}; limits says what a setting may be, readings what is looked at"
    if not set(found.names) <= set(allowed):
        return  # of what kind they are cannot be told
    try:
        found.in_units(units)
    except UnitError as error:
        yield where, f"{text!r}: {error}"
