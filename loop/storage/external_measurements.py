"""What was measured elsewhere, and is to be trials of a campaign: read, and told from what the store holds already.

A row is known by what it says, not by where it stands: a table may be sorted, and grow anywhere. The journal holds
every row that was imported, so that nothing is imported twice; a row that has gone from its table is asked about.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from campaigns.amendments import CompleteTrials, Import, ImportTrials, MeasuredRow
from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, Problem, StoreError
from campaigns.history import Lacks, MisfitError, beyond, narrowed, placed, wide
from campaigns.tables.unused_rows import Remark, folded
from campaigns.warm_start import Record, Source, StoreSourceConfig, TableSourceConfig, Wanted
from loop.core.campaign_version import as_shown
from loop.core.journal import Amendment
from loop.core.records import TrialRecord
from loop.storage.prior_campaigns import read_source
from loop.storage.reader import Reader
from loop.storage.row_matching import KnownRow, RowMatch, Steps, imported, matched, measured_here
from loop.storage.row_outcomes import gone, tally


@dataclass(frozen=True, slots=True)
class Measurements:
    """What a table, or a store, tells of candidates of a campaign.

    Attributes:
        table: file that it stands in, relative to the campaign file where it lies beside or below it.
        rows: what can be made a trial.
        source: what was read, with all that is not used.
        lacking: metrics without which a trial has no score, and of which nothing is there.
        unchecked: whether nobody has looked yet whether the pool has the materials.
        steps: by row, parameter or metric to what one more in the last digit that is written would add.
    """

    table: str
    rows: tuple[MeasuredRow, ...]
    source: Source
    lacking: tuple[str, ...] = ()
    unchecked: bool = False
    steps: tuple[Steps, ...] = ()

    @property
    def text(self) -> list[str]:
        """What became of each row."""
        first, *more = tally(self.source)
        none = f"nothing is there of {', '.join(self.lacking)}: the models use the rest, and the trials have no score"
        unchecked = ["whether the pool has these materials is looked up when the rows are imported"]
        return [f"{self.table}: {first}", *([none] if self.lacking else []), *more, *unchecked * self.unchecked]


@dataclass(frozen=True, slots=True)
class News:
    """What of a table is new to a store.

    Attributes:
        measurements: all of the table.
        rows: those that are new.
        already: how many are trials already, or wait to be.
        completing: amendment that imported a measurement, and its place there, to the row that says more of it.
        remarks: what should be known of those that are there already.
    """

    measurements: Measurements
    rows: tuple[MeasuredRow, ...]
    already: int
    completing: Mapping[tuple[int, int], MeasuredRow] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def changes(self) -> list[Import]:
        """What the journal is told."""
        table, more = self.measurements.table, self.completing
        new: list[Import] = [ImportTrials(table=table, rows=self.rows)] if self.rows else []
        rest = CompleteTrials(table=table, rows=tuple(more.values()), completes=tuple(more))
        return [*new, rest] if more else new

    @property
    def text(self) -> list[str]:
        """How many rows are new, how many are there already, and what should be known of these."""
        more = f", {len(self.completing)} with more than before" if self.completing else ""
        return [f"{len(self.rows)} new, {self.already} already there{more}", *self.remarks]


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
    return [text for found in read for text in (*found.text, *news(found, amendments, trials).text)]


def read_measurements(
    config: StoreSourceConfig | TableSourceConfig, campaign: Campaign, where: str, lacks: Lacks | None
) -> Measurements:
    """Return what one table, or the store of an earlier campaign, says was measured; see ``read_history``."""
    units = {name: metric.unit for name, metric in campaign.measured.items()}
    if isinstance(config, TableSourceConfig):
        config = narrowed(config, list(units), where)
    found = read_source(config, Wanted.by(wide(campaign.space), campaign.measured), where)
    rows: list[MeasuredRow] = []
    used: list[Record] = []
    left_out, remarks = list(found.left_out), list(found.remarks)
    for place, record in enumerate(found.records):
        number = place if record.row is None else record.row
        try:
            row, notes = _row(number, record, campaign, lacks)
            notes += _lacks(record, campaign.needed.intersection(found.metrics))
        except MisfitError as error:
            left_out.append(Remark(number, str(error)))
            continue
        rows.append(row)
        used.append(record)
        remarks += [Remark(number, remark) for remark in notes]
    left_out.sort(key=lambda remark: remark.row)
    source = replace(found, records=tuple(used), left_out=tuple(left_out), remarks=tuple(remarks))
    lacking = tuple(sorted(campaign.needed.difference(found.metrics)))
    unchecked = campaign.space.pool is not None and lacks is None
    steps = tuple(record.steps for record in used)
    return Measurements(table_name(config), tuple(rows), source, lacking, unchecked, steps)


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
    return [f"has no value of {', '.join(lacking)}: the models use the rest"] if lacking else []


def news(found: Measurements, amendments: Sequence[Amendment], trials: Sequence[TrialRecord]) -> News:
    """Return what of a table is new.

    Args:
        found: the table.
        amendments: the journal, with every row that was imported.
        trials: by their numbers; what was measured here, or imported from another table, is no news either.

    Raises:
        CampaignError: rows of the table that were imported are not in it any more.
    """
    known = imported(amendments)
    mine = [one for one in known if one.table == found.table]
    origins = {one.origin for one in mine}
    elsewhere = {one.origin: one for one in known if one.origin not in origins}
    names = frozenset(name for row in found.rows for name in row.metrics)
    others = [*elsewhere.values(), *measured_here(trials, names)]
    taken = matched(found.rows, found.steps, mine, others)
    # What stands in a store does not change, but may come to be suspected, and is then not read any more.
    kept = [] if found.table.endswith(".db") else [one for one in mine if not one.withdrawn]
    there = {id(one) for one, _ in taken.values()}
    if lost := [one for one in kept if id(one) not in there]:
        raise CampaignError([Problem("history", text) for text in gone(lost)], found.table)
    new = tuple(row for place, row in enumerate(found.rows) if place not in taken)
    more = [(found.rows[place], one.origin) for place, (one, fit) in sorted(taken.items()) if fit is RowMatch.MORE]
    completing = {origin: row for row, origin in more if origin is not None}
    return News(found, new, len(found.rows) - len(new) - len(completing), completing, _outlier_text(found, taken))


def _outlier_text(found: Measurements, taken: Mapping[int, tuple[KnownRow, RowMatch]]) -> tuple[str, ...]:
    """Return what should be known of rows that are there already."""
    remarks = []
    for place, (one, fit) in sorted(taken.items()):
        row = found.rows[place]
        if fit is RowMatch.THERE and one.table != found.table:
            remarks.append(Remark(row.row, "measured already, to the digits that are written: not imported again"))
        elif fit is RowMatch.MORE and one.origin is None:
            lacking = ", ".join(sorted(row.metrics.keys() - one.whole.keys()))
            remarks.append(Remark(row.row, f"was measured here, without {lacking}, which is not taken over"))
    return tuple(folded(remarks))
