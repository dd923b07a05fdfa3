"""Earlier measurements that a campaign begins with: which there are, and tables of them.

Files are named relative to the campaign file; ``path`` says where a name leads.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from campaigns.base import Name
from campaigns.beside import BesideConfig
from campaigns.errors import CampaignError, Problem, UnitError, suggestion
from campaigns.parameters import CategoricalConfig, FloatConfig, ParameterConfig
from campaigns.space import SpaceConfig
from campaigns.units import convert
from campaigns.values import Candidate, MetricValue, Scalar

MATERIAL = "material"
"""The column of a table that names the pool entry."""
STATE = "state"
"""The column of an exported table that tells which trials were completed."""
FEWEST = 3
"""Measurements of a metric below which a source teaches nothing."""


class _SourceConfig(BesideConfig):
    name: Name
    """What the log and the report call it."""
    metrics: tuple[Name, ...] = ()
    """Measured metrics to learn from it; without any, all that the campaign measures."""


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
    file: Annotated[str, Field(pattern=r"\.csv$")]
    """A CSV file beside the campaign file or absolute. Its columns are named like parameters and metrics, with units:
    'temperature [K]', 'capacity [mAh/g]', and if they are known standard uncertainties: 'capacity sd [mAh/g]'; with a
    pool, 'material' holds the ids. Other columns are ignored, and so are rows whose 'state' is not completed."""

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


@dataclass(frozen=True)
class Source:
    """What is learnt from one place.

    Attributes:
        metrics: measured metrics that are learnt from it.
        records: in the order of the place; not every one has every metric.
    """

    name: str
    metrics: tuple[str, ...]
    records: tuple[Record, ...]

    @cached_property
    def digest(self) -> str:
        """A hash of all that is learnt from."""
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
    """What a campaign can learn from: its parameters, whether there is a pool, and its metrics with their units."""

    space: SpaceConfig
    units: Mapping[str, str]

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
        found = MetricValue(there, abs(convert(value + sd, unit or own, own) - there), own)
        return found if found.finite else None


def checked(config: StoreSourceConfig | TableSourceConfig, where: str, source: Source) -> Source:
    """Return a source that has enough of every metric.

    Raises:
        CampaignError: it has not.
    """
    few = {name: len(source.of(name)) for name in source.metrics if len(source.of(name)) < FEWEST}
    if few:
        got = ", ".join(f"{count} of {name}" for name, count in few.items())
        hint = f"name under metrics what it has, give more rows, or remove {config.name} from warm_start"
        message = f"{config.file}: got {got}, within the space; needed: {FEWEST} measurements of each metric; {hint}"
        raise CampaignError([Problem(f"{where}.file", message)])
    return source


def read_table(config: TableSourceConfig, wanted: Wanted, where: str) -> Source:
    """Return the measurements of a table.

    Args:
        config: which table, and which metrics of it.
        wanted: what the campaign can learn from.
        where: key path of the source in the campaign file, for messages.

    Raises:
        CampaignError: it cannot be read, lacks a column, or has one in another kind of unit.
    """
    table = _Table.read(config, where)
    metrics = config.metrics or tuple(wanted.units)
    pool = [MATERIAL] if wanted.space.pool is not None else []
    lacking = [name for name in (*pool, *wanted.space.all_parameters, *metrics) if name not in table.units]
    if lacking:
        hints = "; ".join(f"{name}{suggestion(name, table.units)}" for name in lacking)
        has = ", ".join(table.units) or "nothing"
        hint = "add the column with the value that was used; a metric that was not measured: leave it out of metrics"
        raise CampaignError([Problem(f"{where}.file", f"{config.file} has no column {hints}; it has: {has}; {hint}")])
    try:
        records = [record for line in table.lines if (record := _record(table, line, wanted, metrics)) is not None]
    except UnitError as error:
        raise CampaignError([Problem(f"{where}.file", f"{config.file}: {error}")]) from error
    return Source(config.name, metrics, tuple(records))


@dataclass(frozen=True)
class _Table:
    """The text of a table.

    Attributes:
        units: name of each column to its unit, empty where it has none.
        lines: name of each column to its text.
    """

    units: Mapping[str, str]
    lines: Sequence[Mapping[str, str]]

    @classmethod
    def read(cls, config: TableSourceConfig, where: str) -> _Table:
        try:
            with config.path.open(encoding="utf-8-sig", newline="") as file:
                rows = [[cell.strip() for cell in line] for line in csv.reader(file) if line]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            message = f"got {config.file!r}, but {config.path} cannot be read: {reason}; name a CSV file"
            raise CampaignError([Problem(f"{where}.file", message)]) from error
        heads = [_split(head) for head in rows[0]] if rows else []
        short = next((i for i, row in enumerate(rows) if len(row) != len(heads)), None)
        if short is not None:
            message = f"{config.file} row {short}: got {len(rows[short])} cells; needed: {len(heads)}, as in the header"
            raise CampaignError([Problem(f"{where}.file", message)])
        names = [name for name, _ in heads]
        return cls(dict(heads), [dict(zip(names, row, strict=True)) for row in rows[1:]])


def _split(head: str) -> tuple[str, str]:
    """Return name and unit of a column such as ``capacity [mAh/g]``."""
    name, _, rest = head.partition("[")
    return name.strip(), rest.strip().removesuffix("]").strip()


def _record(table: _Table, line: Mapping[str, str], wanted: Wanted, metrics: Sequence[str]) -> Record | None:
    """Return what a row says; None where it says nothing that can be learnt."""
    if line.get(STATE, "completed") != "completed":
        return None
    candidate = wanted.candidate(line, table.units, line.get(MATERIAL, ""))
    found = dict(_measured(table, line, wanted, metrics))
    return Record(candidate, found) if candidate is not None and found else None


def _measured(
    table: _Table, line: Mapping[str, str], wanted: Wanted, metrics: Sequence[str]
) -> Iterator[tuple[str, MetricValue]]:
    for name in metrics:
        value, sd = _number(line[name]), _number(line.get(f"{name} sd", "") or "0")
        metric = wanted.metric(name, value, sd, table.units[name])
        if metric is not None:
            yield name, metric


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
