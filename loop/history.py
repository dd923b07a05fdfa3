"""What was measured elsewhere, and is to be trials of a campaign: read, and told from what the store holds already.

A row is known by what it says, not by where it stands: a table may be sorted, and grow anywhere. The journal holds
every row that was imported, so that nothing is imported twice; a row that has gone from its table is asked about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from campaigns.amendments import ImportTrials, MeasuredRow, WithdrawTrial
from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, Problem, StoreError
from campaigns.history import Lacks, MisfitError, beyond, narrowed, placed, wide
from campaigns.remarks import Remark
from campaigns.values import Candidate, MetricValue, Scalar
from campaigns.warm_start import Record, Source, StoreSourceConfig, TableSourceConfig, Wanted
from loop.edition import as_shown
from loop.reader import Reader
from loop.records import Amendment, TrialRecord, completed
from loop.source_words import tally
from loop.sources import read_source
from loop.words import candidate_text, metrics_text

_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Measurements:
    """What a table, or a store, tells of candidates of a campaign.

    Attributes:
        table: file that it stands in, relative to the campaign file where it lies beside or below it.
        rows: what can be made a trial.
        source: what was read, with all that is not used.
        lacking: metrics without which a trial has no score, and of which nothing is there.
        unchecked: whether nobody has looked yet whether the pool has the materials.
    """

    table: str
    rows: tuple[MeasuredRow, ...]
    source: Source
    lacking: tuple[str, ...] = ()
    unchecked: bool = False

    @property
    def text(self) -> list[str]:
        """What became of each row."""
        first, *more = tally(self.source)
        none = f"nothing is there of {', '.join(self.lacking)}: the rest is learnt from, and the trials have no score"
        unchecked = ["whether the pool has these materials is looked up when the rows are imported"]
        return [f"{self.table}: {first}", *([none] if self.lacking else []), *more, *unchecked * self.unchecked]


@dataclass(frozen=True, slots=True)
class News:
    """What of a table is new to a store.

    Attributes:
        measurements: all of the table.
        rows: those that are new.
        already: how many are trials already, or wait to be.
    """

    measurements: Measurements
    rows: tuple[MeasuredRow, ...]
    already: int

    @property
    def change(self) -> ImportTrials | None:
        """What the journal is told; None where nothing is new."""
        return ImportTrials(table=self.measurements.table, rows=self.rows) if self.rows else None

    @property
    def text(self) -> str:
        """How many rows are new, and how many are there already."""
        return f"{len(self.rows)} new, {self.already} already there"


def read_history(campaign: Campaign, lacks: Lacks | None = None) -> list[Measurements]:
    """Return what the campaign's file says was measured before it.

    Args:
        campaign: with room for all of its trials.
        lacks: tells what the pool has not; None where no pool is at hand.

    Raises:
        CampaignError: tables that cannot be read, all of them, each with what to do.
    """
    found, problems = [], []
    for i, config in enumerate(campaign.history):
        try:
            found.append(read_measurements(config, campaign, f"history[{i}]", lacks))
        except CampaignError as error:
            problems += error.problems
    if problems:
        raise CampaignError(problems, campaign.name)
    return found


def stated_history(campaign: Campaign, url: str) -> list[str]:
    """Return what would become of the file's history, by the store at ``url`` if there is one; see ``read_history``."""
    try:
        reader = Reader(url)
        amendments, trials = reader.amendments(), reader.trials()
    except StoreError:  # nothing was imported yet
        return [text for found in read_history(campaign) for text in found.text]
    read = read_history(as_shown(campaign, amendments))
    return [text for found in read for text in (*found.text, news(found, amendments, trials).text)]


def read_measurements(
    config: StoreSourceConfig | TableSourceConfig, campaign: Campaign, where: str, lacks: Lacks | None
) -> Measurements:
    """Return what one table, or the store of an earlier campaign, says was measured; see ``read_history``."""
    units = {name: metric.unit for name, metric in campaign.measured.items()}
    if isinstance(config, TableSourceConfig):
        config = narrowed(config, list(units))
    found = read_source(config, Wanted.by(wide(campaign.space), campaign.measured), where)
    rows: list[MeasuredRow] = []
    used: list[Record] = []
    left_out, remarks = list(found.left_out), list(found.remarks)
    for place, record in enumerate(found.records):
        number = place if record.row is None else record.row
        try:
            row, told = _row(number, record, campaign, lacks)
            told += _lacks(record, campaign.needed.intersection(found.metrics))
        except MisfitError as error:
            left_out.append(Remark(number, str(error)))
            continue
        rows.append(row)
        used.append(record)
        remarks += [Remark(number, remark) for remark in told]
    left_out.sort(key=lambda remark: remark.row)
    source = replace(found, records=tuple(used), left_out=tuple(left_out), remarks=tuple(remarks))
    lacking = tuple(sorted(campaign.needed.difference(found.metrics)))
    unchecked = campaign.space.pool is not None and lacks is None
    return Measurements(table_name(config), tuple(rows), source, lacking, unchecked)


def table_name(config: StoreSourceConfig | TableSourceConfig) -> str:
    """Return what the journal calls a file, so that it is the same file however it is named."""
    path, folder = config.path.resolve(), config.beside(".").resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _row(number: int, record: Record, campaign: Campaign, lacks: Lacks | None) -> tuple[MeasuredRow, list[str]]:
    """Return a row as it is kept, and what should be known of it."""
    candidate = placed(campaign.space, record.candidate, lacks)
    row = MeasuredRow(
        row=number,
        parameters=dict(candidate.parameters),
        material=candidate.material,
        metrics={name: (m.value, m.sd, m.unit) for name, m in record.metrics.items()},
    )
    outside = beyond(campaign.space, candidate)
    return row, [outside] if outside else []


def _lacks(record: Record, needed: Collection[str]) -> list[str]:
    """Return what a record lacks to have a score."""
    lacking = sorted(name for name in needed if name not in record.metrics)
    return [f"has no value of {', '.join(lacking)}: the rest is learnt from"] if lacking else []


def news(found: Measurements, amendments: Sequence[Amendment], trials: Sequence[TrialRecord]) -> News:
    """Return what of a table is new.

    Args:
        found: the table.
        amendments: the journal, with every row that was imported.
        trials: by their numbers; what was measured here, or imported from another table, is no news either.

    Raises:
        CampaignError: rows of the table that were imported are not in it any more.
    """
    imported = list(_imported(amendments))
    mine = [one for one in imported if one.table == found.table]
    left = Counter(_exactly(one.row) for one in mine)
    others = Counter(_elsewhere([one for one in imported if one.table != found.table], trials, found))
    new: list[MeasuredRow] = []
    for row in found.rows:
        exact, rough = _exactly(row), _roughly(row.candidate, row.measured)
        if left[exact]:
            left[exact] -= 1
        elif others[rough]:
            others[rough] -= 1
        else:
            new.append(row)
    # What stands in a store does not change, but may come to be suspected, and is then not read any more.
    kept = [] if found.table.endswith(".db") else [one for one in mine if not one.withdrawn]
    if lost := _lost(kept, left):
        raise CampaignError([Problem("history", _told(one)) for one in lost], found.table)
    return News(found, tuple(new), len(found.rows) - len(new))


@dataclass(frozen=True, slots=True)
class _Imported:
    """A row of the journal, and what became of it.

    Attributes:
        trial: its number; None while it waits.
    """

    table: str
    row: MeasuredRow
    trial: int | None
    withdrawn: bool


def _imported(amendments: Sequence[Amendment]) -> Iterator[_Imported]:
    to_go = {one.change.trial for one in amendments if isinstance(one.change, WithdrawTrial) and not one.refused}
    for one in amendments:
        if not isinstance(one.change, ImportTrials) or one.refused:
            continue
        for place, row in enumerate(one.change.rows):
            number = None if one.first is None else one.first + place
            gone = number in to_go
            yield _Imported(one.change.table, row, number, gone)


def _elsewhere(others: Sequence[_Imported], trials: Sequence[TrialRecord], found: Measurements) -> Iterator[_Key]:
    """Yield what was measured here, or stands in other tables."""
    names = {name for row in found.rows for name in row.metrics}
    for trial in completed(trials):
        if not trial.imported:
            yield _roughly(trial.candidate, {n: m for n, m in trial.metrics.items() if n in names})
    yield from (_roughly(one.row.candidate, one.row.measured) for one in others)


def _exactly(row: MeasuredRow) -> _Key:
    """Return what a row says, to nine digits."""
    return (*_roughly(row.candidate, row.measured), *(_digits(sd) for _, (_, sd, _) in sorted(row.metrics.items())))


def _roughly(candidate: Candidate, metrics: Mapping[str, MetricValue]) -> _Key:
    """Return the candidate and the values of a measurement, to nine digits: no two are equal in them by chance."""
    settings = [(name, _digits(value)) for name, value in sorted(candidate.parameters.items())]
    values = [(name, _digits(metric.value)) for name, metric in sorted(metrics.items())]
    return (candidate.material, *settings, *values)


def _digits(value: Scalar) -> str:
    return value if isinstance(value, str) else f"{value + 0.0:.9g}"


def _lost(kept: Sequence[_Imported], left: Counter[_Key]) -> list[_Imported]:
    """Return the imported rows that are not in their table any more, given how many of each were not found."""
    missing = Counter(left)
    lost = []
    for one in reversed(kept):
        if missing[_exactly(one.row)] > 0:
            missing[_exactly(one.row)] -= 1
            lost.append(one)
    return lost[::-1]


def _told(one: _Imported) -> str:
    """Return that a row is gone, and what to do."""
    values = metrics_text(one.row.measured, list(one.row.metrics))
    said = f"{one.table} row {one.row.row} ({candidate_text(one.row.candidate, {})}: {values})"
    if one.trial is None:
        return f"{said} is to be imported, and has changed or vanished since; put it back"
    undo = f"athanor trial withdraw {one.trial} --reason '...'"
    return (
        f"{said} is trial {one.trial}, and has changed or vanished since; put it back, "
        f"or, where it was wrong, withdraw the trial ({undo}) and import the table again"
    )
