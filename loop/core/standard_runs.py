"""What stations gave for their calibration standards, and which trials that puts in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from campaigns.decisions import SetStation, StationMode
from campaigns.values import MetricValue, TrialState
from loop.core.formatting import metric_text, trials_text
from loop.core.journal import Amendment
from loop.core.records import TrialRecord

_MEASURED = (TrialState.ACQUIRED, TrialState.COMPLETED)


@dataclass(frozen=True, slots=True)
class StandardRun:
    """One measurement of a station's standard.

    Attributes:
        number: from 1, at each station.
        lab: when it ended, in s of lab time.
        time: the same, in seconds since the epoch.
        value, sd: what it gave; None where the analysis gave nothing.
        expected, tolerance, unit: what it should give, as the lab file said at that time.
        then: what the lab file wants if it is off: out or flag.
        reason: why it gave nothing; empty where it did.
    """

    station: str
    number: int
    lab: float
    time: float
    value: float | None
    sd: float
    expected: float
    tolerance: float
    unit: str
    then: str
    reason: str = ""

    @property
    def name(self) -> str:
        """By what it is kept."""
        return f"{self.station} {self.number}"

    @property
    def good(self) -> bool:
        """Whether the station is right."""
        return self.value is not None and abs(self.value - self.expected) <= self.tolerance

    @property
    def text(self) -> str:
        """What it gave, and what it should."""
        should = metric_text(MetricValue(self.expected, self.tolerance, self.unit))
        got = self.reason if self.value is None else metric_text(MetricValue(self.value, self.sd, self.unit))
        return f"{got}; expected {should}"


def runs_of(station: str, runs: Iterable[StandardRun]) -> list[StandardRun]:
    """Return the measurements of a station's standard, in order."""
    return sorted((run for run in runs if run.station == station), key=lambda run: run.number)


def settled(run: StandardRun, journal: Iterable[Amendment]) -> bool:
    """Return whether somebody has said after a measurement that its station is to be used, or not."""
    return any(
        isinstance(one.change, SetStation)
        and one.change.station == run.station
        and one.change.mode in (StationMode.IN, StationMode.OUT)
        and not one.refused
        and one.written > run.time
        for one in journal
    )


def unsettled(runs: Iterable[StandardRun], journal: Sequence[Amendment]) -> list[StandardRun]:
    """Return the last measurement of each station whose standard is off, unless somebody has settled that."""
    last = {run.station: run for run in sorted(runs, key=lambda run: run.number)}
    return [run for run in last.values() if not run.good and not settled(run, journal)]


def in_doubt(run: StandardRun, runs: Iterable[StandardRun], trials: Iterable[TrialRecord]) -> list[int]:
    """Return the trials that a station has measured between its last good standard and one that is off."""
    earlier = [one.lab for one in runs_of(run.station, runs) if one.good and one.number < run.number]
    since = max(earlier, default=float("-inf"))
    return [trial.number for trial in trials if any(_between(step, run.station, since, run.lab) for step in trial.done)]


def _between(step: object, station: str, since: float, until: float) -> bool:
    started = getattr(step, "started", None)
    return getattr(step, "station", "") == station and started is not None and since <= started < until


def doubt_text(run: StandardRun, trials: Sequence[int]) -> str:
    """Return which trials are in doubt, and why."""
    return f"the standard of {run.station} is off: {run.text}; measured since the last good one: " + (
        trials_text(trials) if trials else "no trial"
    )
