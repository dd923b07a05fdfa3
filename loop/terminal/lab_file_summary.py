"""What ``athanor validate`` says of a lab file: what holds its stations back, when they work, what is kept there."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.lab.calibration_standard import StandardConfig
from campaigns.lab.lab_rules import STOP, LabFileConfig, LabStationConfig, LimitConfig
from campaigns.lab.opening_hours import CalendarConfig
from campaigns.values import Scalar
from loop.core.formatting import counted, duration, unit_text


def lab_file_rows(rules: LabFileConfig) -> Iterator[tuple[str, str]]:
    """Yield what a lab file says, in labelled lines."""
    for name, station in rules.stations.items():
        yield from _station_rows(name, station)
    yield from (("forbidden", text) for text in rules.forbidden)
    yield from (("emergency stop", f"when {text}") for text in rules.emergency)
    for name, place in rules.positions.items():
        room = "any number of samples" if place.capacity is None else counted(place.capacity, "sample")
        yield "position", f"{name}: {room}"
    for name, one in rules.consumables.items():
        reorder = f", reordered below {_told(one.reorder_at)}" if one.reorder_at else ""
        yield "stock", f"{name}: {_told(one.stock)} at first{reorder}"


def _station_rows(name: str, station: LabStationConfig) -> Iterator[tuple[str, str]]:
    yield from (("limit", f"{name}.{part}: {_limit(one)}") for part, one in station.limits.items())
    yield from (("requires", f"{name}: {text}") for text in station.requires)
    if station.safe:
        yield "safe state", f"{name}: {', '.join(f'{part} {_told(value)}' for part, value in station.safe.items())}"
    if station.calendar is not None:
        yield "calendar", f"{name}: {_calendar(station.calendar)}"
    if station.standard is not None:
        yield "standard", f"{name}: {_standard(station.standard)}"


def _told(value: Scalar) -> str:
    if value == STOP:
        return "stopped"
    return value if isinstance(value, str) else f"{value:g}"


def _limit(one: LimitConfig) -> str:
    if one.choices:
        return ", ".join(one.choices)
    low, high = one.range
    unit = unit_text(one.unit or "")
    rate = "" if one.rate is None else f", at most {60.0 * one.rate:.4g}{unit} a minute"
    return f"{low:g} to {high:g}{unit}{rate}"


def _calendar(one: CalendarConfig) -> str:
    closed = f", closed on {', '.join(f'{day:%Y-%m-%d}' for day in one.closed)}" if one.closed else ""
    return f"{', '.join(one.hours)}{closed}{', attended' if one.attended else ''}"


def _standard(one: StandardConfig) -> str:
    often = [] if one.every_trials is None else [f"every {counted(one.every_trials, 'job')}"]
    often += [] if one.every is None else [f"every {duration(one.every)}"]
    wanted = f"{one.metric} {one.value:g} ± {one.tolerance:g}{unit_text(one.unit)}"
    then = "it is taken out" if one.then == "out" else "its trials are flagged"
    return f"{wanted}, {' and '.join(often)}, else {then}"
