"""Plain data that all packages share: candidates, metric values, measurements and the states of a trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Scalar = float | int | str

LARGEST = 1e150
"""Largest absolute value whose square still fits into double precision."""


def is_number(value: object) -> bool:
    """Return whether a value is one number: no text, and no list or array, though it have one entry."""
    return not isinstance(value, str | bytes) and hasattr(value, "__float__") and not getattr(value, "ndim", 0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One point of the search space.

    Attributes:
        parameters: parameter name to value, in the unit of the parameter.
        material: id of a pool entry, or None in a campaign without a pool.
    """

    parameters: Mapping[str, Scalar]
    material: str | None = None

    def __post_init__(self) -> None:
        """Remove the sign of a negative zero, which would be shown and sent as -0."""
        if any(value == 0.0 and str(value).startswith("-") for value in self.parameters.values()):
            plain = {
                name: value + 0.0 if isinstance(value, float) else value for name, value in self.parameters.items()
            }
            object.__setattr__(self, "parameters", plain)

    def key(self) -> tuple[object, ...]:
        """Return a hashable identity: equal keys are the same experiment."""
        return (self.material, *sorted(self.parameters.items()))


@dataclass(frozen=True, slots=True)
class MetricValue:
    """A value with its standard uncertainty and unit."""

    value: float
    sd: float
    unit: str

    @property
    def finite(self) -> bool:
        """Whether value and uncertainty are finite, with their squares, and the uncertainty is not negative."""
        return abs(self.value) <= LARGEST and 0 <= self.sd <= LARGEST


@dataclass(frozen=True, slots=True)
class Measurement:
    """What an analysis made of a step's documents.

    Attributes:
        metrics: metric name to value with uncertainty and unit.
        flags: reasons to distrust the measurement; empty when it is good.
    """

    metrics: Mapping[str, MetricValue]
    flags: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if isinstance(self.flags, str):  # one reason, as users write it
            object.__setattr__(self, "flags", (self.flags,) if self.flags else ())


class Cause(StrEnum):
    """The cause of a failure or quarantine; only ``sample`` counts against a candidate."""

    SAMPLE = "sample"
    """The instrument works: the sample cannot be made or measured, or has no value of a metric."""
    LAB = "lab"
    """The instrument, its driver or the link to it: busy, silent, too slow, or not at its setpoint."""
    ANALYSIS = "analysis"
    """The program that turns raw data into metrics, or that computes them, raised an error."""
    DATA = "data"
    """What was measured cannot be trusted: spikes, a dead detector, stale or implausible numbers."""


class TrialState(StrEnum):
    """The states of a trial, in the order in which they are committed.

    A trial of several steps goes back from ``acquired`` to ``claimed`` for its next step.
    """

    QUEUED = "queued"
    CLAIMED = "claimed"
    RUNNING = "running"
    DISPATCHED = "dispatched"
    ACQUIRED = "acquired"
    COMPLETED = "completed"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    UNCERTAIN = "uncertain"
    WITHDRAWN = "withdrawn"

    @property
    def ended(self) -> bool:
        """Whether a trial in this state stays there unless an operator acts."""
        return self in ENDED


ENDED = frozenset(
    {TrialState.COMPLETED, TrialState.FAILED, TrialState.QUARANTINED, TrialState.UNCERTAIN, TrialState.WITHDRAWN}
)


def lab_time(seconds: float) -> str:
    """Return a lab time as one number with a unit, rounded up, so that it can serve as a limit."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{math.ceil(round(seconds / size, 6) * 10) / 10:g} {unit}"
    return f"{math.ceil(round(seconds, 6) * 10) / 10:g} s"
