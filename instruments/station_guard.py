"""What a station may be told now: every setpoint goes through its guard, whoever sends it."""

from __future__ import annotations

import inspect
import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from campaigns.errors import EmergencyStopError, InterlockError, LimitError
from campaigns.lab.conditions import Condition
from campaigns.lab.lab_rules import MATERIAL, LimitConfig
from campaigns.values import Scalar, is_number
from instruments.emergency_stop import StopFile
from instruments.interlock_readings import InterlockReading, plain_value

RAMP_STEP = 1.0
"""Wall time in seconds between two setpoints of a ramp. Not tuned: controllers of furnaces follow in seconds."""
_SLOWER = 0.95
"""Share of the highest rate at which a ramp goes, so that none is refused as its steps come a little early."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class StationRules:
    """What nobody may tell a station.

    Attributes:
        limits: setting, or part of a device, to its hard limits.
        requires: conditions on readings.
        safe: part of a device, or signal of an instrument, to its value in the safe state.
        combinations: forbidden ones that name the station.
        strict: whether there is a lab file, so that a plan sets no number of which nobody states limits.
    """

    limits: Mapping[str, LimitConfig] = field(default_factory=dict)
    requires: tuple[Condition, ...] = ()
    safe: Mapping[str, Scalar] = field(default_factory=dict)
    combinations: tuple[Condition, ...] = ()
    strict: bool = False


class StationGuard:
    """Stands before a station's devices.

    Args:
        name: of the station.
        rules: what nobody may tell it.
        readings: name to what conditions look at.
        units: of readings and settings, for people.
        stop: the laboratory's emergency stop.
        others: ``station.setting`` to where it may be: its value now, None where that cannot be read, and where it was
            sent to, of all stations.
        now: returns the time in seconds, from any begin, by which rates are kept.
    """

    def __init__(
        self,
        name: str,
        rules: StationRules,
        readings: Mapping[str, InterlockReading],
        units: Mapping[str, str],
        stop: StopFile,
        others: Callable[[], Mapping[str, Sequence[Scalar | None]]] = dict,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.rules = name, rules
        self.closed = ""
        """Why nothing may move; empty while all is well."""
        self.trips = 0
        """How often it has been closed."""
        self.after_closing: Callable[[], None] = lambda: None
        """Called when something was set that had been allowed just before the guard was closed."""
        self.sent: dict[str, Scalar] = {}
        """Part to its last setpoint, at which it may still have to arrive."""
        self._readings, self._units, self._stop, self._others = readings, units, stop, others
        self._now = now
        self._securing = False
        self._last: dict[str, tuple[float, float]] = {}  # part to its last setpoint (NaN: to be read), and when it came

    def close(self, reason: str) -> None:
        """Let nothing move from now on, but into the safe state."""
        self.trips += not self.closed
        self.closed = reason

    def secure(self) -> None:
        """Let the values of the safe state be set whatever holds, until something else may be set again."""
        self._securing = True

    def open(self) -> None:
        """Let things move again."""
        self.closed, self._securing = "", False

    def unmet(self, *, now: bool) -> str:
        """Return which requirement does not hold, with what was read; empty if all do.

        Args:
            now: read anew, instead of going by the last values, which count for a while.
        """
        names = {name for one in self.rules.requires for name in one.names}
        values = {name: self._readings[name].read() if now else self._readings[name].last for name in names}
        for one in self.rules.requires:
            if one.holds(values) is not True:
                return f"interlock: {one.found(values, self._units)}; required: {one.text}"
        return ""

    def check_open(self) -> None:
        """Check that something may move.

        Raises:
            EmergencyStopError: there is an emergency stop.
            InterlockError: an interlock has tripped, or something that has to hold does not.
        """
        if (stop := self._stop.read()) is not None:
            raise EmergencyStopError(f"{self.name}: {stop.text}; nothing was moved")
        if why := self.closed or self.unmet(now=True):
            raise InterlockError(f"{self.name}: {why}; nothing was moved")

    def check_settings(self, settings: Mapping[str, Scalar], material: str | None = None) -> None:
        """Check the settings of a whole job.

        Raises:
            LimitError: one lies outside its hard limits, or they are forbidden together.
        """
        for key, value in settings.items():
            self._check_limit(key, value)
        self._check_together({f"{self.name}.{key}": value for key, value in settings.items()}, material)

    def check_move(self, names: Sequence[str], value: Any) -> bool:
        """Check one setpoint of a part, by all its names in the lab file; return whether it is to make it safe.

        Raises:
            InterlockError: nothing may move now.
            LimitError: it lies outside its hard limits and is no step of a ramp back to them, changes too fast, or is
                forbidden beside the others.
        """
        if self.is_safe(names, value) and (self.closed or self._securing):
            return True
        self.check_open()
        for part in names:
            if not self._comes_back(part, value):
                self._check_limit(part, value)
            self._check_rate(part, value)
        self._check_together({f"{self.name}.{part}": value for part in names}, "")
        self._securing = self._securing and self.is_safe(names, value)
        return False

    def check_rest(self, names: Sequence[str], value: Any, shown: Any) -> None:
        """Check a setpoint by which a part that is stopped comes to rest: nearer to where it is than where it was sent.

        Where a device of ophyd-async is cannot be asked in between: its setpoint has to lie within the hard limits.

        Raises:
            LimitError: it is none, or lies outside of the hard limits.
        """
        at = _number_of(shown)
        if not is_number(value) or (at is None and not inspect.iscoroutinefunction(getattr(shown, "read", None))):
            raise LimitError(f"{self.name}: {names[0]} would be set to {value!r} to stop it; nothing was moved")
        for part in names:
            self._check_limit(part, value)
        if at is None:
            return
        sent = self.sent.get(names[0], at)
        if abs(float(value) - at) > (abs(float(sent) - at) if is_number(sent) else 0.0) + _ROUNDING * abs(at):
            raise LimitError(f"{self.name}: {names[0]} is at {at:g}, and would be sent to {value:g} to stop it")

    def moved(self, names: Sequence[str], value: Any) -> None:
        """Take note that a setpoint has been set, also that of the safe state."""
        if isinstance(value, str) or is_number(value):
            self.sent |= dict.fromkeys(names, value if isinstance(value, str) else float(value))
        if is_number(value):
            self._last |= dict.fromkeys(names, (float(value), self._now()))

    def not_moved(self, names: Sequence[str]) -> None:
        """Take note that a part has not taken what it was told: where it is has to be read before it moves again."""
        self._last |= dict.fromkeys(names, (math.nan, self._now()))

    def is_safe(self, names: Sequence[str], value: Any) -> bool:
        """Return whether a value is that of the safe state, by one of a part's names."""
        return any(part in self.rules.safe and self.rules.safe[part] == value for part in names)

    def steps(self, names: Sequence[str], value: Any, moved: Any) -> Sequence[float]:
        """Return the setpoints of a ramp on the way to a value, without that itself, one each ``RAMP_STEP``.

        Args:
            names: of the part.
            value: where it goes.
            moved: the part.

        Raises:
            LimitError: it cannot be read where it is, or where it goes lies outside its hard limits.
        """
        rate = self._rate(names)
        if rate is None or not is_number(value):
            return ()
        for part in names:
            if not self._comes_back(part, value):
                self._check_limit(part, value)
        begin = self._at(names, moved)
        step = rate * RAMP_STEP * _SLOWER
        count = int(abs(float(value) - begin) / step * (1 - _ROUNDING))
        sign = 1.0 if value > begin else -1.0
        return [begin + sign * step * (i + 1) for i in range(count)]

    def pause(self, names: Sequence[str]) -> float:
        """Return the wall time in seconds that a ramp has to wait, as a setpoint has come just now."""
        if self._rate(names) is None or names[0] not in self._last:
            return 0.0
        return max(self._last[names[0]][1] + RAMP_STEP - self._now(), 0.0)

    def begins_at(self, names: Sequence[str], moved: Any) -> None:
        """Take note of where a part is, before its first ramp, and after one that failed.

        Raises:
            LimitError: that cannot be read.
        """
        last, when = self._last.get(names[0], (math.nan, -math.inf))
        if self._rate(names) is not None and math.isnan(last):
            self._last |= dict.fromkeys(names, (self._at(names, moved), when))

    def _rate(self, names: Sequence[str]) -> float | None:
        """Return the highest rate of a part, if the lab file states one."""
        limits = (self.rules.limits[part] for part in names if part in self.rules.limits)
        return min((limit.rate for limit in limits if limit.rate is not None), default=None)

    def _at(self, names: Sequence[str], moved: Any) -> float:
        if not math.isnan(last := self._last.get(names[0], (math.nan, 0.0))[0]):
            return last
        if (found := _number_of(moved)) is None:
            lacking = f"{self.name}: {names[0]} cannot be read, so that its rate cannot be kept"
            raise LimitError(f"{lacking}; nothing was moved")
        return found

    def _check_limit(self, part: str, value: Any) -> None:
        limit = self.rules.limits.get(part)
        if limit is not None and (why := limit.refuses(value)):
            raise LimitError(f"{self.name}: {part} {why} by the lab file; nothing was moved")

    def _comes_back(self, part: str, value: Any) -> bool:
        """Return whether a part with a rate that is outside its limits comes nearer to them, and not past them."""
        limit = self.rules.limits.get(part)
        if limit is None or limit.rate is None or not is_number(value):
            return False
        (low, high), last = limit.range, self._last.get(part, (math.nan, 0.0))[0]
        return high < float(value) < last or last < float(value) < low

    def _check_rate(self, part: str, value: Any) -> None:
        limit = self.rules.limits.get(part)
        if limit is None or limit.rate is None or part not in self._last:
            return
        last, when = self._last[part]
        most = limit.rate * min(self._now() - when, RAMP_STEP)
        if abs(float(value) - last) > most * (1 + _ROUNDING):
            raise LimitError(
                f"{self.name}: {part} would change from {last:g} to {value:g} {limit.unit} at once; allowed by the lab "
                f"file: {limit.rate * 60:g} {limit.unit} per minute; nothing was moved"
            )

    def _check_together(self, values: Mapping[str, Any], material: str | None) -> None:
        if not self.rules.combinations:
            return
        told: dict[str, Sequence[Any]] = {name: (value,) for name, value in values.items()}
        known = {**self._others(), **told, MATERIAL: (material or "",)}
        for one in self.rules.combinations:
            for at in itertools.product(*(known.get(name, (None,)) for name in one.names)):
                beside = dict(zip(one.names, at, strict=True))
                if one.holds(beside) is not False:
                    raise LimitError(
                        f"{self.name}: {one.found(beside, self._units)}; forbidden by the lab file: {one.text}; "
                        "nothing was moved"
                    )


def _number_of(moved: Any) -> float | None:
    """Return where a part is; None where that cannot be read."""
    try:
        found = plain_value(moved)
    except Exception:  # noqa: BLE001 - a device may raise anything
        return None
    return float(found) if found is not None and is_number(found) else None
