"""The ways of choosing that are compared. Our own stand first."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UnfitError
from benchmarks.pools.crystals import View
from benchmarks.pools.engine import Arm, Engine, Plan
from benchmarks.pools.tasks import Setting


class RandomEngine:
    """Suggests rows at random and learns nothing."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self._order = [int(row) for row in np.random.default_rng([seed, 1]).permutation(len(setting.pool))]
        self._known: set[int] = set()

    def suggest(self, q: int) -> list[int]:
        """Return the next q rows of a random order."""
        return [row for row in self._order if row not in self._known][:q]

    def tell(self, rows: Sequence[int], values: Mapping[str, NDArray[np.float64]]) -> None:  # noqa: ARG002
        """Remember which rows are known."""
        self._known.update(rows)


def _composition(setting: Setting, seed: int) -> Engine:
    return _gp(setting, View.COMPOSITION, seed)


def _sites(setting: Setting, seed: int) -> Engine:
    return _gp(setting, View.SITES, seed)


def _chgnet(setting: Setting, seed: int) -> Engine:
    return _gp(setting, View.CHGNET, seed)


# The peers' libraries take seconds to import, and are there only if the extra "bench" is installed.


def _gp(setting: Setting, view: View, seed: int) -> Engine:
    from benchmarks.pools.gp import GpEngine, reduced

    return GpEngine(setting, reduced(setting.pool, view), seed)


def _ax(setting: Setting, seed: int) -> Engine:
    from benchmarks.pools.peer_ax import AxEngine

    return AxEngine(setting, seed)


def _baybe(setting: Setting, seed: int) -> Engine:
    from benchmarks.pools.peer_baybe import BaybeEngine

    return BaybeEngine(setting, seed)


_PLAIN = (
    "standardised, 40 principal components; BoTorch SingleTaskGP per quantity (Matérn 5/2, one length scale), LogEI, "
    "batches one by one"
)
_COMPOSITION = "statistics of the elements' properties"

_CODE = (
    *("campaigns", "surrogates", "loop"),
    *("benchmarks/pools/ours.py", "benchmarks/looking.py", "benchmarks/trials.py"),
)


def _athanor(setting: Setting, seed: int) -> Engine:
    from benchmarks.pools.ours import PlannerEngine

    return PlannerEngine(setting, seed)


def _with_formation_energy(setting: Setting, seed: int) -> Engine:
    from benchmarks.pools.ours import PlannerEngine, formation_energy

    return PlannerEngine(setting, seed, formation_energy)


def _with_database(setting: Setting, seed: int) -> Engine:
    from benchmarks.pools.ours import PlannerEngine, database

    if not len(setting.database):
        raise UnfitError("no crystals of other chemistries")
    return PlannerEngine(setting, seed, database)


ARMS: tuple[Arm, ...] = (
    Arm("Athanor", _athanor, "a campaign's planner with its defaults, find: many; no prior", _CODE),
    Arm(
        "Athanor+energy",
        _with_formation_energy,
        "the same; prior of every quantity: CHGNet's formation energy, negative for those that are no energies",
        _CODE,
    ),
    Arm(
        "Athanor+database",
        _with_database,
        "the same from 6 random rows; priors: a Gaussian process on 1,000 rows of other anion chemistries",
        _CODE,
        plan=Plan(initial=6),
    ),
    Arm("random", RandomEngine, "uniform choice"),
    Arm("composition", _composition, f"{_COMPOSITION}, {_PLAIN}"),
    Arm("sites", _sites, f"the elements' properties on each site, {_PLAIN}"),
    Arm("CHGNet", _chgnet, f"CHGNet's embedding, {_PLAIN}"),
    Arm(
        "BayBE",
        _baybe,
        f"{_COMPOSITION}, 40 principal components as descriptors of a discrete parameter; Campaign's defaults, without "
        "repeats; desirability of all quantities for a score",
        needs="baybe",
    ),
    Arm(
        "Ax",
        _ax,
        f"{_COMPOSITION}, a box of 10 principal components; Client's defaults; Ax has no pools, so that each "
        "suggestion goes to the nearest row that is left, and itself failed; a score is one scalar",
    ),
)


def missing(arm: Arm) -> bool:
    """Return whether an arm's library is not installed."""
    return arm.needs is not None and importlib.util.find_spec(arm.needs) is None
