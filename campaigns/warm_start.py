"""Earlier measurements that a campaign begins with: which there are, and tables of them.

Files are named relative to the campaign file; ``path`` says where a name leads.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from campaigns.config import Name
from campaigns.errors import CampaignError, Problem, TableError, UnitError, suggestion
from campaigns.metrics import MeasuredConfig
from campaigns.pool_source import ending
from campaigns.relative_paths import RelativePathConfig
from campaigns.spaces.parameters import CategoricalConfig, FloatConfig, ParameterConfig
from campaigns.spaces.settings_columns import Settings, broken_mixture, read_settings
from campaigns.spaces.space import SpaceConfig
from campaigns.tables.files import TABLES, Line
from campaigns.tables.named_columns import GENERATOR, MATERIAL, REASON, STATE, is_written, sd_name
from campaigns.tables.sheet import Sheet, read_sheet
from campaigns.tables.unused_rows import Remark, folded
from campaigns.units import convert, convert_difference
from campaigns.values import Candidate, MetricValue, Scalar

_OWN = (GENERATOR, REASON)  # columns by which a table of trials differs from any other table with a state
FEWEST = 3
"""Smallest number of measurements of a metric from which a source model is fitted."""


class _SourceConfig(RelativePathConfig):
    name: Name
    """Name of the source in the log and the report."""
    metrics: tuple[Name, ...] = ()
    """Measured metrics to learn from it; by default, all that the campaign measures."""


class StoreSourceConfig(_SourceConfig):
    """The completed trials of an earlier campaign, without suspected outliers."""

    kind: Literal["store"]
    file: Annotated[str, Field(pattern=r"\.db$")]
    """The campaign's store (NAME.db), beside the campaign file or absolute."""

    @property
    def path(self) -> Path:
        """The store, absolute."""
        return self.beside(self.file)


class TableSourceConfig(_SourceConfig):
    """Measurements in a table, such as athanor trials --csv writes."""

    kind: Literal["table"]
    file: Annotated[str, ending(*TABLES)]
    """A table (.csv, .tsv, .txt, .xlsx) beside the campaign file or absolute. Its columns are named like parameters and
    metrics, with units: 'temperature [K]', 'capacity [mAh/g]', and standard uncertainties where they are known:
    'capacity sd [mAh/g]'; with a pool, 'material' holds the ids. Other columns are not read, and rows whose 'state' is
    not completed are left out; everything that cannot be used is reported (docs/inputs.md)."""

    @property
    def path(self) -> Path:
        """The table, absolute."""
        return self.beside(self.file)


WarmStartConfig = Annotated[StoreSourceConfig | TableSourceConfig, Field(discriminator="kind")]


@dataclass(frozen=True)
class Record:
    """One earlier measurement: in the units of the campaign that learns from it."""

    candidate: Candidate
    metrics: Mapping[str, MetricValue]
    row: int | None = None
    """Number of its row, as a spreadsheet program shows it; None where it stands in no table."""
    steps: Mapping[str, float] = field(default_factory=dict)
    """Parameter or metric to what one more in the last digit that is written would add, where that is known."""


@dataclass(frozen=True)
class Source:
    """The measurements of one source.

    Attributes:
        metrics: measured metrics that it is used for.
        records: in the order of the place; not every one has every metric.
        left_out: rows of a table that are not used at all, and why.
        remarks: what else of its rows is not used.
        unread: heads of its columns that are not read.
    """

    name: str
    metrics: tuple[str, ...]
    records: tuple[Record, ...]
    left_out: tuple[Remark, ...] = ()
    remarks: tuple[Remark, ...] = ()
    unread: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """A hash of all measurements."""
        told = [
            [r.candidate.material, sorted(r.candidate.parameters.items()), [(n, m.value, m.sd) for n, m in _told(r)]]
            for r in self.records
        ]
        return hashlib.sha256(json.dumps([self.metrics, told]).encode()).hexdigest()

    def of(self, metric: str) -> list[Record]:
        """Return the records that have a metric."""
        return [record for record in self.records if metric in record.metrics]


@dataclass(frozen=True)
class Wanted:
    """What a campaign can learn from: its parameters, whether there is a pool, and its metrics.

    Attributes:
        units: measured metric to its unit.
        ranges: measured metric to its config, which knows what is plausible.
    """

    space: SpaceConfig
    units: Mapping[str, str]
    ranges: Mapping[str, MeasuredConfig] = field(default_factory=dict)

    @classmethod
    def by(cls, space: SpaceConfig, measured: Mapping[str, MeasuredConfig]) -> Wanted:
        """Return what a campaign with these measured metrics can learn from."""
        return cls(space, {name: metric.unit for name, metric in measured.items()}, measured)

    def implausible(self, metric: str, value: float, sd: float) -> str:
        """Return why a value with its standard uncertainty, in the metric's unit, is implausible, or nothing."""
        return self.ranges[metric].implausible(value, sd) if metric in self.ranges else ""

    def candidate(self, values: Mapping[str, Scalar], units: Mapping[str, str], material: str) -> Candidate | None:
        """Return a candidate of the space from values in some units; None where it has none for a parameter.

        Raises:
            UnitError: a unit is of another dimension.
        """
        given = {n: p for n, p in self.space.all_parameters.items() if n in values}
        found = {n: _value(p, values[n], units.get(n) or p.unit) for n, p in given.items()}
        known = {name: value for name, value in found.items() if value is not None}
        try:
            present = self.space.present(known)
        except KeyError:  # a parameter that applies has no value
            return None
        if self.space.pool is not None and not material:
            return None
        return Candidate(present, material if self.space.pool is not None else None)

    def metric(self, name: str, value: float, sd: float, unit: str) -> MetricValue | None:
        """Return a measurement in the campaign's unit; None where it is not finite.

        Raises:
            UnitError: the unit is of another dimension.
        """
        own = self.units[name]
        there = convert(value, unit or own, own)
        found = MetricValue(there, convert_difference(sd, unit or own, own), own)
        return found if found.finite else None


def with_enough_measurements(config: StoreSourceConfig | TableSourceConfig, where: str, source: Source) -> Source:
    """Return a source that has enough of every metric.

    Raises:
        CampaignError: it has not.
    """
    few = {name: len(source.of(name)) for name in source.metrics if len(source.of(name)) < FEWEST}
    if few:
        got = ", ".join(f"{count} of {name}" for name, count in few.items())
        hint = f"name under metrics what it has, give more rows, or remove {config.name} from warm_start"
        message = f"{config.file}: got {got}, within the space; needed: {FEWEST} measurements of each metric; {hint}"
        why = [
            Problem(f"{where}.file", f"{config.file}: {text}") for text in folded((*source.left_out, *source.remarks))
        ]
        raise CampaignError([Problem(f"{where}.file", message), *why])
    return source


def read_source_table(config: TableSourceConfig, wanted: Wanted, where: str) -> Source:
    """Return the measurements of a table; what of its rows is not used is listed with them.

    Args:
        config: which table, and which metrics of it.
        wanted: what the campaign can learn from.
        where: key path of the source in the campaign file, for messages.

    Raises:
        CampaignError: it cannot be read, lacks a column, or has one twice or in another kind of unit.
    """
    metrics = config.metrics or tuple(wanted.units)
    pool = [MATERIAL] if wanted.space.pool is not None else []
    categories = [n for n, p in wanted.space.all_parameters.items() if isinstance(p, CategoricalConfig)]
    parameters = [n for n in wanted.space.all_parameters if n not in categories]
    numbers = [*parameters, *metrics, *(sd_name(name) for name in metrics)]
    try:
        sheet = read_sheet(config.path, numbers, [*pool, *categories, STATE, *_OWN])
        in_file = where.startswith(("warm_start", "history"))
        _check_columns(sheet, [*pool, *wanted.space.all_parameters, *metrics], in_file)
        return _Reading(sheet, wanted, metrics, read_settings(sheet, wanted.space)).source(config.name)
    except (TableError, UnitError) as error:
        raise CampaignError([Problem(f"{where}.file", f"{config.file}: {error}")]) from error


def _check_columns(sheet: Sheet, wanted: Sequence[str], chosen: bool) -> None:
    """Check that columns are there; ``chosen``: a key ``metrics`` says which of them are used.

    Raises:
        TableError: they are not.
    """
    lacking = [name for name in wanted if name not in sheet.columns]
    if not lacking:
        return
    has = [*(column.head for column in sheet.columns.values()), *sheet.unread]
    hints = "; ".join(f"{name}{suggestion(name, has)}" for name in lacking)
    hint = "rename the column that is meant, or add one with the value that was used"
    hint += "; a metric that was not measured: leave it out of metrics" if chosen else ""
    raise TableError(f"has no column {hints}; it has: {', '.join(map(repr, has)) or 'nothing'}; {hint}")


@dataclass(frozen=True)
class _Reading:
    """A table on its way to measurements."""

    sheet: Sheet
    wanted: Wanted
    metrics: Sequence[str]
    settings: Settings
    remarks: list[Remark] = field(default_factory=list)

    def source(self, name: str) -> Source:
        """Return what the rows say, and what of them is not used.

        Raises:
            UnitError: the unit of a column is of another dimension.
        """
        for metric in self.metrics:
            self.sheet.check_unit(metric, self.wanted.units[metric])
            if sd_name(metric) in self.sheet.columns:
                self.sheet.check_difference(sd_name(metric), self.wanted.units[metric])
        records, left_out = [], list(self.sheet.left_out)
        for place, row in enumerate(self.sheet.rows):
            found = self._record(place, row)
            if isinstance(found, Record):
                records.append(found)
            else:
                left_out.append(found)
        unread = tuple(head for head in self.sheet.unread if not is_written(head))
        left_out = sorted(left_out, key=lambda remark: remark.row)
        return Source(name, tuple(self.metrics), tuple(records), tuple(left_out), tuple(self.remarks), unread)

    def _record(self, place: int, row: Line) -> Record | Remark:
        if (trouble := self._not_completed(row)) is not None:
            return trouble
        found = self._candidate(place, row)
        if isinstance(found, Remark):
            return found
        metrics, wrong, steps = self._measured(row)
        if metrics:
            self.remarks.extend(wrong)
            return Record(found, metrics, row.number, self._steps(place) | steps)
        return wrong[0] if wrong else Remark(row.number, f"has no value of {' or '.join(self.metrics)}")

    def _not_completed(self, row: Line) -> Remark | None:
        state = self.sheet.text(row, STATE)
        if STATE in self.sheet.columns and state.casefold() != "completed":
            return Remark(row.number, "its state is not completed", state or "empty")
        own = all(name in self.sheet.columns for name in _OWN)
        if own and (reason := self.sheet.text(row, REASON)):
            return Remark(row.number, "it is a suspected outlier", reason)
        return None

    def _candidate(self, place: int, row: Line) -> Candidate | Remark:
        """Return the candidate of a row, or why it has none."""
        space, values = self.wanted.space, self.settings.setting(place)
        wrong = {n: r for n in space.all_parameters if (r := self.settings.wrong.get((place, n))) is not None}
        try:
            present = space.present(values)
        except KeyError as error:
            lacking = str(error.args[0])
            return wrong.get(lacking) or Remark(row.number, f"{lacking} is empty")
        for name, mixture in space.mixtures.items():
            if (broken := broken_mixture(name, mixture, present)) is not None:
                return Remark(row.number, broken)
        for constraint in space.parsed_constraints:
            if not bool(np.all(constraint.keeps({n: np.array([float(present[n])]) for n in constraint.names}))):
                return Remark(row.number, f"breaks {constraint.text!r}")
        material = self.sheet.text(row, MATERIAL) if space.pool is not None else None
        if material == "":
            return Remark(row.number, f"{MATERIAL} is empty")
        return Candidate(present, material)

    def _steps(self, place: int) -> dict[str, float]:
        """Return by parameter what one more in the last digit that is written would add."""
        found = {name: steps[place] for name, steps in self.settings.steps.items()}
        for mixture in self.wanted.space.mixtures.values():  # each share is scaled by the roundings of all
            found |= dict.fromkeys(mixture.components, sum(found[name] for name in mixture.components))
        return found

    def _measured(self, row: Line) -> tuple[dict[str, MetricValue], list[Remark], dict[str, float]]:
        """Return the metrics of a row, what of it cannot be used, and by metric the step of its last digit."""
        found, wrong, steps = {}, [], {}
        for name in self.metrics:
            unit = self.wanted.units[name]
            try:
                number = self.sheet.number(row, name, unit)
            except TableError as error:
                wrong.append(Remark(row.number, f"{name} {error}", self.sheet.text(row, name)))
                continue
            if number is None:
                continue
            sd, trouble = self._sd(row, name, number.sd)
            if why := self.wanted.implausible(name, number.value, sd):
                wrong.append(Remark(row.number, f"{name} {why}", self.sheet.text(row, name)))
            else:
                wrong += trouble
                found[name], steps[name] = MetricValue(number.value, sd, unit), number.step
        return found, wrong, steps

    def _sd(self, row: Line, name: str, beside: float | None) -> tuple[float, list[Remark]]:
        """Return a standard uncertainty, 0 where none is known, and what of it cannot be used."""
        column, unit = sd_name(name), self.wanted.units[name]
        if column not in self.sheet.columns:
            return beside or 0.0, []
        try:
            sd = self.sheet.difference(row, column, unit, name)
        except TableError as error:
            instead = "without it" if beside is None else f"with the uncertainty that stands beside {name}"
            reason = f"{column} {error}; the value is used {instead}"
            return beside or 0.0, [Remark(row.number, reason, self.sheet.text(row, column))]
        if sd is not None and beside is not None and not math.isclose(sd, beside, rel_tol=1e-3):
            reason = f"{column} is not the uncertainty that stands beside {name}; that of the column is used"
            return sd, [Remark(row.number, reason, self.sheet.text(row, name))]
        return (beside if sd is None else sd) or 0.0, []


def _value(parameter: ParameterConfig, value: Scalar, unit: str) -> Scalar | None:
    """Return a parameter's value in its own unit; None where it can have no such value."""
    if isinstance(parameter, CategoricalConfig):
        return str(value) if value in parameter.levels else None
    number = convert(_number(value), unit, parameter.unit)
    if isinstance(parameter, FloatConfig) and parameter.scale == "log" and number <= 0:
        return None
    return number if math.isfinite(number) else None


def _number(value: Scalar) -> float:
    """Return a number; NaN for text that is none."""
    try:
        return float(value)
    except ValueError:
        return math.nan


def _told(record: Record) -> list[tuple[str, MetricValue]]:
    return sorted(record.metrics.items())
