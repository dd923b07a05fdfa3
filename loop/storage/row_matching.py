"""Which rows of a table a store knows already: told by what they say, to the digits that are written there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from campaigns.amendments import CompleteTrials, ImportTrials, MeasuredRow
from campaigns.decisions import WithdrawTrial
from campaigns.values import Candidate, MetricValue
from loop.core.journal import Amendment
from loop.core.records import TrialRecord
from loop.core.trial_selection import completed

_ROUNDED = 1e-9
"""Relative difference of two numbers that are the same but for arithmetic: no two readings are so close by chance."""
_SD_ROUNDED = 1e-3
"""Relative difference of two standard uncertainties that are the same but for rounding."""

Steps = Mapping[str, float]
"""Parameter or metric to what one more in the last digit that is written would add; 0 where that is not known."""


class RowMatch(IntEnum):
    """How a row fits a measurement that is known, the closest fit first."""

    SAME = 0
    """It says the same, but for arithmetic."""
    THERE = 1
    """It says the same by its own digits, or less."""
    MORE = 2
    """It says the same, and more."""


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A measurement that a store knows.

    Attributes:
        candidate: what was measured.
        said: what the table says of it; what was measured, where it stands in none.
        whole: what is known of it by all tables.
        table: file that it stands in; empty for what was measured here.
        row: its row there.
        origin: number of the amendment that imports it, and its place there; None for what was measured here.
        trial: its number; None while it waits.
        withdrawn: whether it is to be forgotten.
    """

    candidate: Candidate
    said: Mapping[str, MetricValue]
    whole: Mapping[str, MetricValue]
    table: str = ""
    row: int = 0
    origin: tuple[int, int] | None = None
    trial: int | None = None
    withdrawn: bool = False


def imported(amendments: Sequence[Amendment]) -> list[KnownRow]:
    """Return what the journal imports: each measurement once for each table that it stands in, as it stands there."""
    to_go = {one.change.trial for one in amendments if isinstance(one.change, WithdrawTrial) and not one.refused}
    rows: dict[tuple[tuple[int, int], str], MeasuredRow] = {}
    trials: dict[tuple[int, int], int | None] = {}
    whole: dict[tuple[int, int], dict[str, MetricValue]] = defaultdict(dict)
    for one in amendments:
        if one.refused or not isinstance(one.change, ImportTrials | CompleteTrials):
            continue
        for place, row in enumerate(one.change.rows):
            if isinstance(one.change, ImportTrials):
                origin = one.number, place
                trials[origin] = None if one.first is None else one.first + place
            else:
                origin = one.change.completes[place]
            rows[origin, one.change.table] = row
            whole[origin] |= added(whole[origin], row.measured)
    return [
        KnownRow(
            row.candidate,
            row.measured,
            whole[origin],
            table,
            row.row,
            origin,
            trials[origin],
            trials[origin] in to_go,
        )
        for (origin, table), row in rows.items()
        if origin in trials
    ]


def measured_here(trials: Sequence[TrialRecord], names: frozenset[str]) -> Iterator[KnownRow]:
    """Yield what was measured here of some metrics."""
    for trial in completed(trials):
        if not trial.imported:
            found = {name: metric for name, metric in trial.metrics.items() if name in names}
            yield KnownRow(trial.candidate, found, found, trial=trial.number)


def added(known: Mapping[str, MetricValue], row: Mapping[str, MetricValue]) -> dict[str, MetricValue]:
    """Return what a row that agrees with what is known adds: other metrics, and uncertainties that were not known."""
    return {name: m for name, m in row.items() if name not in known or (known[name].sd == 0 and m.sd > 0)}


def matched(
    rows: Sequence[MeasuredRow], steps: Sequence[Steps], mine: Sequence[KnownRow], others: Sequence[KnownRow]
) -> dict[int, tuple[KnownRow, RowMatch]]:
    """Return place of a row to what it says again, each row and each measurement once, the closest fit first.

    Args:
        rows: of a table.
        steps: by row.
        mine: what was imported from this table.
        others: what was measured here, or stands in other tables only.
    """
    known = [*mine, *others]
    index = _Index(known)
    pairs = [
        (found, number >= len(mine), place, number)
        for place, row in enumerate(rows)
        for said in [row.measured]
        for number in index.near(row.candidate, steps[place])
        if (found := fit_of_row(said, steps[place], known[number], own=number < len(mine))) is not None
    ]
    taken: dict[int, tuple[KnownRow, RowMatch]] = {}
    used: set[int] = set()
    for found, _, place, number in sorted(pairs):
        if place not in taken and number not in used:
            taken[place] = known[number], found
            used.add(number)
    return taken


def fit_of_row(said: Mapping[str, MetricValue], steps: Steps, known: KnownRow, *, own: bool) -> RowMatch | None:
    """Return how the metrics of a row fit what is known of its candidate; None where they contradict it.

    Args:
        said: the metrics of the row.
        steps: by metric, what one more in the last digit that is written would add.
        known: of the same candidate.
        own: whether it was imported from the table of the row, which then says as much as before, or more.
    """
    shared = known.whole.keys() & said.keys()
    if not shared or not all(_equal(said[n].value, known.whole[n].value, steps.get(n, 0.0)) for n in shared):
        return None
    if own and not all(n in said and _keeps(said[n].sd, known.said[n].sd) for n in known.said):
        return None
    if not own and not (known.whole.keys() <= said.keys() or said.keys() <= known.whole.keys()):
        return None
    if added(known.whole, said) and not known.withdrawn and (known.origin or said.keys() - known.whole.keys()):
        return RowMatch.MORE
    exact = said.keys() == known.said.keys() and all(_equal(said[n].value, known.whole[n].value, 0.0) for n in shared)
    return RowMatch.SAME if exact else RowMatch.THERE


def _equal(written: float, stored: float, step: float) -> bool:
    """Return whether a number is a stored one, to its own digits."""
    return abs(written - stored) <= _reach(written, step)


def _reach(written: float, step: float) -> float:
    return 0.5 * step * (1.0 + 1e-6) + _ROUNDED * abs(written)


def _keeps(now: float, before: float) -> bool:
    """Return whether a standard uncertainty is what it was, where one was known."""
    return before == 0 or abs(now - before) <= _SD_ROUNDED * before


@dataclass
class _Index:
    """Finds what was measured of a candidate."""

    known: Sequence[KnownRow]
    _places: dict[object, list[int]] = field(default_factory=lambda: defaultdict(list))
    _settings: dict[object, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, one in enumerate(self.known):
            self._places[_kind(one.candidate)].append(number)
        for kind, numbers in self._places.items():
            self._settings[kind] = np.array([list(_numbers(self.known[n].candidate).values()) for n in numbers])

    def near(self, candidate: Candidate, steps: Steps) -> list[int]:
        """Return the places of all that was measured of a candidate, to the digits of its settings."""
        kind = _kind(candidate)
        if kind not in self._settings:
            return []
        wanted = _numbers(candidate)
        reach = np.array([_reach(value, steps.get(name, 0.0)) for name, value in wanted.items()])
        off = np.abs(self._settings[kind] - np.array(list(wanted.values())))
        return [self._places[kind][i] for i in np.flatnonzero((off <= reach).all(axis=1))]


def _kind(candidate: Candidate) -> object:
    """Return all of a candidate that is no number."""
    settings = sorted(candidate.parameters.items())
    return candidate.material, tuple((name, value if isinstance(value, str) else None) for name, value in settings)


def _numbers(candidate: Candidate) -> dict[str, float]:
    return {name: float(v) for name, v in sorted(candidate.parameters.items()) if not isinstance(v, str)}
