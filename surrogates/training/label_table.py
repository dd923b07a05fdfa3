"""Rows to learn from, read from a table by the reader of pools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from campaigns.errors import CampaignError, Problem, UnitError
from campaigns.pool_source import TABLES, TablePoolConfig
from campaigns.units import convert
from surrogates.pools.pool import Pool, Progress, load_pool
from surrogates.pools.sources.data_table import stated_unit
from surrogates.training.dataset import Dataset, Skipped, Target


def read_table(path: Path, structure: str, target: Target, progress: Progress | None = None) -> Dataset:
    """Return the rows of a CSV or Parquet file that have a valid structure and a value; the others are listed.

    Args:
        path: the file.
        structure: the column that holds CIF, POSCAR or pymatgen's JSON.
        target: the column that holds the values.
        progress: called with what is being done, how much of it is done, and how much there is.

    Raises:
        CampaignError: the file or a column is not there, or nothing can be used.
        ModelError: a library is missing, or what was read cannot be kept.
    """
    pool, values = _pool(path, structure, target, progress)
    found = np.isfinite(values)
    entries = [entry for entry, there in zip(pool.entries, found, strict=True) if there]
    skipped = [
        *(Skipped(str(bad.place), bad.reason) for bad in pool.report.bad),
        *(Skipped(str(twin.place), f"is the same crystal as {twin.kept}") for twin in pool.report.duplicates),
        *(Skipped(name, f"has no {target.name}") for name, there in zip(pool.ids, found, strict=True) if not there),
    ]
    return Dataset(
        path.name,
        target,
        tuple(entry.id for entry in entries),
        tuple(entry.structure for entry in entries),
        values[found],
        tuple(skipped),
    )


def _column(config: TablePoolConfig, target: Target) -> tuple[str, str]:
    """Return the column of a target, and the unit that the table states for it; empty where it states none."""
    if config.path.suffix.lower() == ".parquet" or not config.path.is_file():
        return target.name, ""
    return stated_unit(config, target.name)


def _pool(path: Path, structure: str, target: Target, progress: Progress | None) -> tuple[Pool, NDArray[np.float64]]:
    """Return the rows with a valid structure, each crystal once, and their values in the target's unit."""
    try:
        config = TablePoolConfig(kind="table", file=str(path), structure=structure, properties=(target.name,))
    except ValidationError as error:
        message = f"got {path.name!r}; allowed: a table whose name ends in {', '.join(TABLES)}"
        raise CampaignError([Problem("--data", message)], str(path)) from error
    try:
        column, unit = _column(config, target)
        pool = load_pool(config.model_copy(update={"properties": (column,)}), progress)
        given = pool.properties[column]
        return pool, np.array([convert(value, unit or target.unit, target.unit) for value in given.tolist()])
    except CampaignError as error:
        raise CampaignError([Problem("--data", problem.message) for problem in error.problems], str(path)) from error
    except UnitError as error:
        raise CampaignError([Problem("--data", f"column {column!r}: {error}")], str(path)) from error
