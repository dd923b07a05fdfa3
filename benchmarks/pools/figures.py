"""What is counted of a campaign."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.pools.engine import Record
from benchmarks.pools.tasks import Setting

MARKS = (50, 100, 150, 200)
"""Numbers of experiments at which the share is counted."""

_SHARE = 0.1  # of the top 1 %, for the number of experiments


@dataclass(frozen=True)
class Figures:
    """What is counted.

    Attributes:
        shares: of the top 1 %, found by each of the marks.
        tenth: experiments until a tenth of the top 1 % was found; infinite if it never was.
        hits: by the end.
        best: highest true merit by the end.
        cpu: processor seconds of an iteration, mean.
    """

    shares: tuple[float, ...]
    tenth: float
    hits: float
    best: float
    cpu: float


def figures(record: Record, setting: Setting) -> Figures:
    """Count a campaign."""
    first = np.isin(np.arange(len(record.rows)), np.unique(record.rows, return_index=True)[1])
    found = np.cumsum(setting.best[record.rows] & first)
    total = int(setting.best.sum())
    reached = np.flatnonzero(found >= math.ceil(_SHARE * total))
    return Figures(
        shares=tuple(float(found[min(mark, len(found)) - 1]) / total for mark in MARKS),
        tenth=float(reached[0] + 1) if len(reached) else np.inf,
        hits=float(setting.hits[np.unique(record.rows)].sum()),
        best=float(setting.merit[record.rows].max()),
        cpu=float(np.mean(record.cpu or [0.0])),  # a pool as small as the start needs no iteration
    )
