"""The tasks of the benchmark: three on the perovskites, and the extremes of the columns of any other pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.errors import DataError
from benchmarks.pools.crystals import Crystals
from benchmarks.pools.tasks import Bound, Edge, Extreme, Quantity, Score, Setting, Task, Term
from campaigns.errors import suggestion

PEROVSKITES = "perovskites"
_SHARE_OF_SPREAD = 0.02  # noise of a column without a given one, in units of its standard deviation
_ENERGIES = ("energy", "heat", "hull", "enthalpy")

HEAT = Quantity("heat_all", "eV/atom", sd=0.02)
GAP = Quantity("dir_gap", "eV", sd=0.05, detection=0.1)
STABLE_WITH_A_GAP = (Bound("heat_all", high=0.4), Bound("dir_gap", low=0.0))
"""Hits: 1.2 % of the pool."""

_STABLE = Term("heat_all", (Edge(1.0, 0.25, -1.0),))
_WINDOW = Term("dir_gap", (Edge(1.5, 0.5, 1.0), Edge(3.0, 0.5, -1.0)))

TASKS = (
    Task("heat", "lowest formation energy (heat_all)", (HEAT,), Extreme("heat_all", -1.0)),
    Task("gap", "largest dir_gap", (GAP,), Extreme("dir_gap", 1.0)),
    Task(
        "score",
        "mean of stability (logistic in heat_all at 1.0 eV, width 0.25) and gap window (1.5 to 3 eV, width 0.5)",
        (HEAT, GAP),
        Score((_STABLE, _WINDOW)),
        STABLE_WITH_A_GAP,
    ),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An extreme of a column that the user asks for.

    Attributes:
        pool: name of the pool's folder.
        sign: +1 for the largest, -1 for the lowest.
    """

    pool: str
    column: str
    sign: float


def parse_wanted(text: str) -> Wanted:
    """Return what ``pool:column:min`` or ``pool:column:max`` asks for.

    Raises:
        DataError: it is written in another way.
    """
    match text.split(":"):
        case [pool, column, "min"]:
            return Wanted(pool, column, -1.0)
        case [pool, column, "max"]:
            return Wanted(pool, column, 1.0)
    raise DataError(f"got the task {text!r}; write pool:column:min or pool:column:max")


def settings(pools: Sequence[Crystals], wanted: Sequence[Wanted], say: Callable[[str], None]) -> tuple[Setting, ...]:
    """Return all tasks on all pools.

    Raises:
        DataError: a task names a pool or a column that there is not.
    """
    names = [pool.name for pool in pools]
    for each in wanted:
        if each.pool not in names:
            raise DataError(f"there is no pool {each.pool!r}{suggestion(each.pool, names)}; got {', '.join(names)}")
    return tuple(setting for pool in pools for setting in _of_pool(pool, wanted, say))


def is_searched(crystals: Crystals) -> np.ndarray:
    """Return which perovskites are searched: oxides, oxynitrides, oxyfluorides; n.

    The others, nitrides and oxysulphides, are the database of other chemistries.
    """
    symbols = [{element.symbol for element in s.composition.elements} for s in crystals.structures]
    return np.array(["O" in each and "S" not in each for each in symbols])


def _of_pool(pool: Crystals, wanted: Sequence[Wanted], say: Callable[[str], None]) -> Iterator[Setting]:
    mine = [each for each in wanted if each.pool == pool.name]
    if pool.name == PEROVSKITES:
        searched = is_searched(pool)
        inside, outside = (pool.take(np.flatnonzero(mask)) for mask in (searched, ~searched))
        yield from (Setting(task, inside, outside) for task in TASKS)
        yield from (_extreme(inside, outside, each) for each in mine)
        return
    none = pool.take(np.array([], dtype=np.int64))
    found = mine or [Wanted(pool.name, c, -1.0) for c in pool.columns if any(word in c.lower() for word in _ENERGIES)]
    if not found:
        say(f"{pool.name}: no task, no column of energies; name one by --task {pool.name}:COLUMN:min")
    yield from (_extreme(pool, none, each) for each in found)


def _extreme(pool: Crystals, database: Crystals, wanted: Wanted) -> Setting:
    if wanted.column not in pool.columns:
        got = ", ".join(pool.columns)
        raise DataError(f"{pool.name} has no column {wanted.column!r} of numbers; it has {got}")
    known = np.flatnonzero(np.isfinite(pool.columns[wanted.column]))
    sd = _SHARE_OF_SPREAD * float(np.std(pool.columns[wanted.column][known]))
    words = "lowest" if wanted.sign < 0 else "largest"
    name = f"{pool.name}-{wanted.column}-{'min' if wanted.sign < 0 else 'max'}"
    task = Task(
        name,
        f"{words} {wanted.column} of {pool.name}",
        (Quantity(wanted.column, "", sd),),
        Extreme(wanted.column, wanted.sign),
    )
    return Setting(task, pool.take(known), database)
