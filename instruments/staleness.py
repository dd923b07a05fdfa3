"""Data that are no news: signals that a job has not updated, and arrays that a frozen detector gives once more.

What a signal is by nature is seen in the station's first samples. An array that is evenly spaced, linearly or by a
factor, is an axis, such as the angles of a scan; one that never changed although others did is a constant, such as a
dark frame. A signal tells the time of its readings if an earlier job has updated it; servers that do not know the token
and whose clocks are ahead or behind, and drivers that state no times, show no such update, and nothing is held against
them then. Numbers by themselves may agree by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from instruments.job import HEADER

FEWEST = 16
"""Points of an array from which it cannot be the same by chance: with two values as likely in each, once in 65,000."""
_EVEN = 1e-6
"""Deviation of an axis' steps from their mean, as a share: single precision, in which detectors may state an axis."""
_SHOWN = 4  # names in a message
OF_JOB = frozenset({*HEADER, "token"})
"""Signals that say which job it is, and measure nothing."""


@dataclass(frozen=True)
class SampleReading:
    """What a station gave for one sample.

    Attributes:
        values: signal to its value.
        times: signal to when it was updated, in seconds since the epoch.
        since: when the job was dispatched, in seconds since the epoch; None where that is not known.
        candidate: what tells one candidate from another.
    """

    values: Mapping[str, Any]
    times: Mapping[str, float]
    since: float | None
    candidate: object

    def updated(self, name: str) -> bool:
        """Return whether the job has updated a signal.

        The instrument was told the token once the job was dispatched: when that was by its own clock counts where that
        is behind the controller's.
        """
        if self.since is None:
            return False
        return self.times.get(name, 0.0) > min(self.since, self.times.get("token", self.since))


def stale(now: SampleReading, last: SampleReading, first: Sequence[SampleReading]) -> tuple[str, ...]:
    """Return why the data of a sample are no news; empty if they are.

    Args:
        now: of the sample.
        last: of the sample before it on that station.
        first: of the first samples on that station, which may have the one before among them.
    """
    numbers = [name for name, value in now.values.items() if name not in OF_JOB and not isinstance(value, str)]
    same = [name for name in numbers if _equal(now.values[name], last.values.get(name))]
    updating = [name for name in numbers if any(each.updated(name) for each in first)]
    if updating and now.since is not None and not any(now.updated(name) for name in updating):
        return (f"stale data: {_names(updating)} not updated since before the job began",)
    told = now.since is not None  # not where the system's clock was set back meanwhile
    frozen = [
        name for name in same if told and name in updating and not now.updated(name) and is_data(now.values[name])
    ]
    if now.candidate != last.candidate:
        frozen += [name for name in _repeated(now, last, first) if name not in frozen]
    return (f"stale data: {_names(frozen)} the same as for the sample before",) if frozen else ()


def _repeated(now: SampleReading, last: SampleReading, first: Sequence[SampleReading]) -> Iterator[str]:
    """Yield the arrays that are the same as those of another candidate, although they are none by nature.

    One that rises or falls all the way, beside others that differ, is an axis: times of two samples with one recipe.
    """
    arrays = [name for name, value in now.values.items() if is_data(value)]
    arrays = arrays or [n for n, value in now.values.items() if is_array(value) and not is_constant(value)]
    same = [name for name in arrays if _equal(now.values[name], last.values.get(name))]
    axes = all(_is_even(now.values[name]) for name in arrays)
    for name in same:
        varied = any(not _equal(a.values.get(name), b.values.get(name)) for a, b in pairwise(first))
        axis = len(same) < len(arrays) and _is_monotonic(now.values[name])
        if (varied and not axis) or (len(same) == len(arrays) and not axes):
            yield name


def is_array(value: Any) -> bool:
    """Return whether a value is an array that cannot be the same by chance."""
    return isinstance(value, list | tuple | np.ndarray) and len(value) >= FEWEST


def is_constant(value: Any) -> bool:
    """Return whether all finite numbers of an array are equal."""
    numbers = np.asarray(value, dtype=float)
    return bool(np.ptp(numbers[np.isfinite(numbers)]) == 0) if np.isfinite(numbers).any() else True


def _is_even(value: Any) -> bool:
    """Return whether an array is evenly spaced, linearly or by a factor."""
    numbers = np.asarray(value, dtype=float)
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        return False
    scales = [numbers] + ([np.log(numbers)] if (numbers > 0).all() else [])
    steps = [np.diff(scale) for scale in scales]
    return any(bool(np.ptp(each) <= _EVEN * abs(each.mean())) for each in steps)


def _is_monotonic(value: Any) -> bool:
    """Return whether an array rises or falls from point to point."""
    steps = np.diff(np.asarray(value, dtype=float))
    return bool((steps > 0).all() or (steps < 0).all())


def is_data(value: Any) -> bool:
    """Return whether a value is an array that varies and is no axis."""
    return is_array(value) and not is_constant(value) and not _is_even(value)


def _equal(one: Any, other: Any) -> bool:
    if is_array(one) and is_array(other):
        return bool(np.array_equal(np.asarray(one, dtype=float), np.asarray(other, dtype=float), equal_nan=True))
    return type(one) is type(other) and bool(one == other)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more} {'is' if len(names) == 1 else 'are'}"
