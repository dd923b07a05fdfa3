"""Rows to learn from, read from a table by the reader of pools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import ValidationError

from campaigns.errors import CampaignError, Problem
from campaigns.pool import TABLES, TablePoolConfig
from surrogates.pools.pool import Pool, Progress, load_pool
from surrogates.training.dataset import Dataset, Skipped, Target


def read_table(path: Path, structure: str, target: Target, progress: Progress | None = None) -> Dataset:
    """Return the rows of a CSV or Parquet file that have a sound structure and a value; the others are listed.

    Args:
        path: the file.
        structure: the column that holds CIF, POSCAR or pymatgen's JSON.
        target: the column that holds the values.
        progress: called with what is being done, how much of it is done, and how much there is.

    Raises:
        CampaignError: the file or a column is not there, or nothing can be used.
        ModelError: a library is missing, or what was read cannot be kept.
    """
    pool = _pool(path, structure, target, progress)
    values = pool.properties[target.name]
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


def _pool(path: Path, structure: str, target: Target, progress: Progress | None) -> Pool:
    """Return the rows with a sound structure, each crystal once."""
    try:
        config = TablePoolConfig(kind="table", file=str(path), structure=structure, properties=(target.name,))
    except ValidationError as error:
        message = f"got {path.name!r}; allowed: a table whose name ends in {', '.join(TABLES)}"
        raise CampaignError([Problem("--data", message)], str(path)) from error
    try:
        return load_pool(config, progress)
    except CampaignError as error:
        raise CampaignError([Problem("--data", problem.message) for problem in error.problems], str(path)) from error
