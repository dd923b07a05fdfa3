"""What stations gave for their calibration standards, and which trials that puts in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

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
        doubtful: what the lab file wants of the trials that this puts in doubt: count or withdraw.
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
    doubtful: str = "count"

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


def trials_in_doubt(
    trials: Iterable[TrialRecord], runs: Sequence[StandardRun], journal: Sequence[Amendment]
) -> dict[int, StandardRun]:
    """Return the trials that count although a standard puts them in doubt, each with its first measurement that does.

    Those of which somebody has said that they count all the same are not among them.
    """
    found: dict[int, StandardRun] = {}
    counting = [trial for trial in trials if trial.state is TrialState.COMPLETED]
    for run in runs:
        if not run.good and not settled(run, journal):
            for number in in_doubt(run, runs, counting):
                found.setdefault(number, run)
    return found


def with_doubts(
    trials: Sequence[TrialRecord], runs: Sequence[StandardRun], journal: Sequence[Amendment]
) -> list[TrialRecord]:
    """Return the trials, those in doubt with the reason, for tables."""
    found = trials_in_doubt(trials, runs, journal)
    return [replace(t, reason=mark_text(found[t.number])) if t.number in found else t for t in trials]


def mark_text(run: StandardRun) -> str:
    """Return what a trial is marked with that a measurement of a standard puts in doubt."""
    return f"in doubt: the standard of {run.station} was off after it"


def _between(step: object, station: str, since: float, until: float) -> bool:
    started = getattr(step, "started", None)
    return getattr(step, "station", "") == station and started is not None and since <= started < until


def doubt_text(run: StandardRun, trials: Sequence[int]) -> str:
    """Return which trials are in doubt, and why."""
    return f"the standard of {run.station} is off: {run.text}; measured since the last good one: " + (
        trials_text(trials) if trials else "no trial"
    )
