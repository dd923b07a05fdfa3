"""What stations gave for their calibration standards, and which trials that puts in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from campaigns.decisions import ReanalyseTrial, RepeatStandard, SetStation, StationMode
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


def adjusted(run: StandardRun, journal: Iterable[Amendment]) -> bool:
    """Return whether somebody has said after a measurement that its station was adjusted, and is to be measured again.

    Unlike what settles a measurement, this says nothing of the trials that it puts in doubt.
    """
    return any(
        isinstance(one.change, RepeatStandard)
        and one.change.station == run.station
        and not one.refused
        and one.written > run.time
        for one in journal
    )


def unsettled(runs: Iterable[StandardRun], journal: Sequence[Amendment]) -> list[StandardRun]:
    """Return the last measurement of each station whose standard is off, unless somebody has seen to that."""
    last = {run.station: run for run in sorted(runs, key=lambda run: run.number)}
    off = (run for run in last.values() if not run.good)
    return [run for run in off if not settled(run, journal) and not adjusted(run, journal)]


def in_doubt(run: StandardRun, runs: Iterable[StandardRun], trials: Iterable[TrialRecord]) -> list[int]:
    """Return the trials that a station has measured between its last good standard and one that is off.

    A station that goes on although it is off has those in doubt, too, that it measures until its next standard.
    """
    known = runs_of(run.station, runs)
    since = max((one.lab for one in known if one.good and one.number < run.number), default=float("-inf"))
    later = min((one.lab for one in known if one.number > run.number), default=float("inf"))
    until = later if run.then == "flag" and not run.good else run.lab
    return [trial.number for trial in trials if any(_between(step, run.station, since, until) for step in trial.done)]


def trials_in_doubt(
    trials: Iterable[TrialRecord], runs: Sequence[StandardRun], journal: Sequence[Amendment]
) -> dict[int, StandardRun]:
    """Return the trials that count although a standard puts them in doubt, each with its first measurement that does.

    Those of which somebody has said that they count all the same are not among them. That a station was adjusted, which
    is what people say of one that is out, does not say so where the lab file wants such trials withdrawn.
    """
    found: dict[int, StandardRun] = {}
    counting = [trial for trial in trials if trial.state is TrialState.COMPLETED]
    for run in runs:
        withdrawn = run.then == "out" and run.doubtful == "withdraw"
        if not run.good and (withdrawn or not settled(run, journal)):
            for number in in_doubt(run, runs, counting):
                if not _counts_again(number, run, journal):
                    found.setdefault(number, run)
    return found


def _counts_again(number: int, run: StandardRun, journal: Iterable[Amendment]) -> bool:
    """Return whether somebody has let a trial count after a measurement that puts it in doubt."""
    return any(
        isinstance(one.change, ReanalyseTrial)
        and one.change.trial == number
        and not one.refused
        and one.written > run.time
        for one in journal
    )


def with_doubts(
    trials: Sequence[TrialRecord], runs: Sequence[StandardRun], journal: Sequence[Amendment]
) -> list[TrialRecord]:
    """Return the trials, those in doubt with the reason, for tables."""
    found = trials_in_doubt(trials, runs, journal)
    return [replace(t, reason=mark_text(found[t.number], t)) if t.number in found else t for t in trials]


def mark_text(run: StandardRun, trial: TrialRecord) -> str:
    """Return what a trial is marked with that a measurement of a standard puts in doubt."""
    return f"in doubt: the standard of {run.station} was off {side_of(run, trial)} it"


def side_of(run: StandardRun, trial: TrialRecord) -> str:
    """Return whether a standard was measured after a trial, or before it."""
    return "after" if any(_between(step, run.station, float("-inf"), run.lab) for step in trial.done) else "before"


def _between(step: object, station: str, since: float, until: float) -> bool:
    started = getattr(step, "started", None)
    return getattr(step, "station", "") == station and started is not None and since <= started < until


def doubt_text(run: StandardRun, runs: Iterable[StandardRun], trials: Iterable[TrialRecord]) -> str:
    """Return which trials are in doubt, and why."""
    runs = list(runs)
    found = in_doubt(run, runs, trials)
    which = trials_text(found) if found else "no trial"
    was_good = any(one.good and one.number < run.number for one in runs_of(run.station, runs))
    since = "measured since the last good one" if was_good else "it never was right before; measured so far"
    return f"the standard of {run.station} is off: {run.text}; {since}: {which}"
