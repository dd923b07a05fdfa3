"""Units that signals state: compared with those that drivers and analyses were written for, and converted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from ophyd import Signal

from campaigns.errors import LimitError, UnitError
from campaigns.units import check_unit, convert, same_dimension, same_numbers
from campaigns.values import Measurement

Function = TypeVar("Function", bound=Callable[..., Any])

_TEMPERATURES = {"C": "degC", "F": "degF", "Celsius": "degC", "Fahrenheit": "degF"}
"""What servers call units of temperature, where nothing but a temperature can be meant."""


def reads(**units: str) -> Callable[[Function], Function]:
    """Declare the units in which an analysis reads signals, by their names: readings are converted to these before."""

    def mark(function: Function) -> Function:
        function.reads = units  # type: ignore[attr-defined]
        return function

    return mark


def declared_units(analysis: Any) -> Mapping[str, str]:
    """Return signal to the unit in which an analysis, with settings or without, reads it; else nothing."""
    return getattr(getattr(analysis, "func", analysis), "reads", {})


def stated_unit(signal: Any) -> str:
    """Return the unit that a signal states by itself or its server; empty for one that states none.

    Raises:
        LimitError: its server states another one than its driver was written for.
    """
    unit = getattr(signal, "unit", None)
    if unit is None:
        unit = getattr(signal, "metadata", {}).get("units")
    if unit is None and isinstance(signal, Signal) and signal.connected:
        unit = signal.describe()[signal.name].get("units")
    return str(unit or "")


def agreed(declared: str, stated: str, name: str) -> str:
    """Return the unit of a signal, of which driver and server may each state one.

    Raises:
        LimitError: they differ.
    """
    if not stated or stated == declared:
        return declared
    if not declared:
        return stated
    meant = _TEMPERATURES.get(stated, stated) if _is_temperature(declared) else stated
    if not same_numbers(meant, declared):
        raise LimitError(
            f"{name} is in {stated!r} by its server, and its driver is written for {declared}; nothing was moved; "
            "correct what the server states (the EGU field of an EPICS record), or the driver"
        )
    return declared


def in_expected_units(
    analysis: Any, data: Mapping[str, Any], stated: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return readings in the units in which an analysis reads them, and the units that they are in then.

    Args:
        analysis: what it declares by ``reads`` is converted; all else stays as it is.
        data: signal to its reading: a number, or an array of them.
        stated: signal to the unit that it states.

    Raises:
        UnitError: a unit is unknown, or of another dimension; the message names the signal.
    """
    found, units = dict(data), dict(stated)
    for key, unit in declared_units(analysis).items():
        if key in data and (given := stated.get(key, "")) and given != unit:
            found[key], units[key] = _converted(data[key], _spelled(given, unit), unit, key), unit
    return found, units


def passed_on(found: Measurement, data: Mapping[str, Any], stated: Mapping[str, str]) -> tuple[str, ...]:
    """Return which metrics are readings that an analysis has passed on under another unit than theirs.

    Args:
        found: what the analysis made of the readings.
        data: signal to its reading.
        stated: signal to the unit that it states; "1" and nothing count as not stated.
    """
    flags = []
    for name, metric in found.metrics.items():
        alike = [key for key in data if stated.get(key, "1") not in ("", "1") and _is(data[key], metric.value)]
        alike = [key for key in alike if key == name or not float(metric.value).is_integer()]  # 1 h is no yield of 1
        if alike and not any(same_numbers(_spelled(stated[key], metric.unit), metric.unit) for key in alike):
            given, key = stated[alike[0]], alike[0]
            flags.append(
                f"{name}: is the reading of {key}, in {given} by the instrument and in {metric.unit} by the analysis; "
                f"convert it there, or decorate the analysis with @reads({key}={metric.unit!r})"
            )
    return tuple(flags)


def _converted(value: Any, given: str, unit: str, key: str) -> Any:
    try:
        zero, slope = convert(0.0, given, unit), convert(1.0, given, unit) - convert(0.0, given, unit)
    except UnitError as error:
        raise UnitError(f"{key} is in {given!r} by the instrument, and the analysis reads {unit}: {error}") from error
    found = np.asarray(value, dtype=float) * slope + zero
    return float(found) if found.ndim == 0 else found


def _is(reading: Any, value: float) -> bool:
    return isinstance(reading, int | float) and not isinstance(reading, bool) and reading == value


def _spelled(given: str, unit: str) -> str:
    return _TEMPERATURES.get(given, given) if _is_temperature(unit) else given


def _is_temperature(unit: str) -> bool:
    try:
        return same_dimension(check_unit(unit), "K")
    except UnitError:
        return False  # told where it is converted
