"""Tables of real experiments, in the layout of Olympus (Häse et al. 2021, Mach. Learn.: Sci. Technol. 2, 035021).

A folder for each: ``data.csv`` without a header, and ``config.json`` that names its columns, parameters first and then
measurements, and says whether the first measurement is to be large or small.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.errors import DataError
from benchmarks.planner.space import Choice, Numbers, Occasion, Parameter, Readings, Real, Task

if TYPE_CHECKING:
    import pandas as pd

BEST, GOOD = 0.01, 0.05
"""Shares of a table's rows that are looked for."""
EVERY, FIRST = 3, 1
"""Every third table by name, from the second, is held out: no choice may rest on it, and it is reported apart."""

FAULTY = "-faulty"
"""End of the names of tasks with wrong readings."""

_SIGNS = {"maximise": 1.0, "maximize": 1.0, "minimise": -1.0, "minimize": -1.0}
_GAPS = (  # what pandas takes for a missing number by default
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
_FAULTY = 0.1  # share of the readings that are wrong, where any are


@dataclass(frozen=True, eq=False)
class Table:
    """A task on the rows of a table.

    Attributes:
        values: n, the objective as it was measured, mean of the experiments with the same parameters.
        held_out: whether no choice may rest on it.
        faulty: whether a tenth of the readings are zeros or spikes.
    """

    task: Task
    values: Numbers
    held_out: bool = False
    faulty: bool = False

    @cached_property
    def merit(self) -> Numbers:
        """Return the objective, n, so that large is good."""
        return self.task.merits(self.values[:, None])[:, 0]

    @cached_property
    def places(self) -> Mapping[bytes, int]:
        """Return the place of each row by its bytes."""
        assert self.task.rows is not None
        return {row.tobytes(): place for place, row in enumerate(self.task.rows)}

    def top(self, share: float) -> np.ndarray:
        """Return which rows are among the best, n; rows as good as the last of them are, too."""
        count = math.ceil(share * len(self.merit) - 1e-9)
        return np.asarray(self.merit >= np.sort(self.merit)[-count])

    def start(self, seed: int, count: int) -> Numbers:
        """Return the random rows, count x d, that every engine begins with; fewer are the first of more."""
        assert self.task.rows is not None
        order = np.random.default_rng([seed, len(self.values)]).permutation(len(self.values))
        return self.task.rows[order[:count]]

    def measure(self, point: Numbers, occasion: Occasion) -> Readings:
        """Return what the measurement of a row says; whether it is wrong depends on seed, row and repetition alone."""
        place = self.places[point.tobytes()]
        value = self._faulty_values(occasion)[place] if self.faulty else self.values[place]
        return Readings.single(np.array([[value]]))

    def _faulty_values(self, occasion: Occasion) -> Numbers:
        """Return readings, n, of which a tenth are wrong: half of these zero, half a spike of 1 to 5 ranges."""
        generator = np.random.default_rng([occasion.seed, len(self.values), 1, occasion.earlier])
        wrong = generator.random(len(self.values)) < _FAULTY
        spikes = self.values.max() + generator.uniform(1.0, 5.0, len(self.values)) * np.ptp(self.values)
        return np.where(wrong, np.where(generator.random(len(self.values)) < 0.5, 0.0, spikes), self.values)


def with_faults(table: Table) -> Table:
    """Return the same table with a tenth of its readings wrong."""
    return replace(table, task=replace(table.task, name=f"{table.task.name}{FAULTY}"), faulty=True)


def read_tables(folder: Path, say: Callable[[str], None]) -> tuple[Table, ...]:
    """Return the task of every table below a folder, by name.

    Args:
        say: called with what is left out.

    Raises:
        DataError: there is no table, or one cannot be understood.
    """
    found = sorted(path.parent for path in folder.rglob("config.json") if (path.parent / "data.csv").exists())
    if not found:
        raise DataError(f"no table in {folder}: no folder in it holds config.json and data.csv")
    return tuple(_table(path, place % EVERY == FIRST, say) for place, path in enumerate(found))


def _table(folder: Path, held_out: bool, say: Callable[[str], None]) -> Table:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    frame = _frame(folder, config, say)
    names = [column["name"] for column in config["parameters"]]
    target = _target(folder.name, config)
    coded = frame.assign(**{c["name"]: _coded(frame[c["name"]], c) for c in config["parameters"]})
    merged = coded.groupby(names, sort=True, as_index=False)[target["name"]].mean()
    parameters = {c["name"]: _parameter(frame[c["name"]], c) for c in config["parameters"]}
    varying = [name for name in names if parameters[name] is not None]
    rows = np.ascontiguousarray(merged[varying].to_numpy(dtype=float)) + 0.0  # one zero, not two
    kept = tuple(p for p in parameters.values() if p is not None)
    task = Task(folder.name, kept, (target["sign"],), rows=rows)
    return Table(task, merged[target["name"]].to_numpy(dtype=float), held_out)


def _frame(folder: Path, config: Mapping[str, Any], say: Callable[[str], None]) -> pd.DataFrame:
    import pandas as pd  # late: not every engine needs it

    columns = (*config["parameters"], *config["measurements"])
    names = [column["name"] for column in columns]
    frame = pd.read_csv(folder / "data.csv", header=None, keep_default_na=False, na_values=_gaps(columns))
    if frame.shape[1] != len(names):
        raise DataError(f"{folder / 'data.csv'} has {frame.shape[1]} columns; config.json names {len(names)}: {names}")
    whole = frame.set_axis(names, axis=1).dropna()
    if len(whole) < len(frame):
        say(f"{folder.name}: {len(frame) - len(whole)} of {len(frame)} rows have gaps and are left out")
    return whole


def _gaps(columns: Iterable[Mapping[str, Any]]) -> dict[int, Sequence[str]]:
    """Return what stands for a gap, by place of the column: a category may well be called None or NA."""
    return {i: [""] if c.get("type") == "categorical" else _GAPS for i, c in enumerate(columns)}


def _target(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return name and sign of the first measurement."""
    first = config["measurements"][0]
    goal = first.get("goal", config.get("goal", config.get("default_goal", "")))
    if goal not in _SIGNS:
        raise DataError(f"config.json of {name} has the goal {goal!r}; allowed: {', '.join(_SIGNS)}")
    return {"name": first["name"], "sign": _SIGNS[goal]}


def _parameter(values: pd.Series, column: Mapping[str, Any]) -> Parameter | None:
    """Return a parameter with the range that the rows have; None if it does not vary."""
    match [*_distinct(values, column)]:
        case [_]:
            return None
        case [*levels] if column["type"] == "categorical":
            return Choice(column["name"], tuple(levels))
        case [low, *_, high]:
            return Real(column["name"], float(low), float(high))
    raise DataError(f"the column {column['name']!r} has no values")


def _distinct(values: pd.Series, column: Mapping[str, Any]) -> Iterator[Any]:
    yield from sorted(set(values.astype(str if column["type"] == "categorical" else float)))


def _coded(values: pd.Series, column: Mapping[str, Any]) -> pd.Series:
    if column["type"] != "categorical":
        return values.astype(float)
    places = {level: place for place, level in enumerate(_distinct(values, column))}
    return values.astype(str).map(places).astype(float)
