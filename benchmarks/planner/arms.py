"""The engines that are compared. Our own stands first."""

from __future__ import annotations

import numpy as np

from benchmarks.planner.engine import Arm, Engine
from benchmarks.planner.space import Left, Numbers, Readings, Task


class RandomEngine:
    """Suggests at random and learns nothing."""

    def __init__(self, task: Task, seed: int) -> None:
        self._task, self._generator = task, np.random.default_rng([seed, 1])
        self._left = None if task.rows is None else Left(task, seed)

    def suggest(self, pending: Numbers) -> Numbers:  # noqa: ARG002
        """Return any row that is left, or any point of the box."""
        if self._left is None:
            return np.array([p.at(self._generator.random(p.width)) for p in self._task.parameters])
        return self._left.taken(int(self._generator.choice(self._left.places)))

    def tell(self, points: Numbers, readings: Readings) -> None:  # noqa: ARG002
        """Remember which rows were measured."""
        if self._left is not None:
            self._left.take(points)


# The engines' libraries take seconds to import, and most are there only if the extra "bench" is installed.


def _athanor(task: Task, seed: int) -> Engine:
    from benchmarks.planner.ours import PlannerEngine

    return PlannerEngine(task, seed)


def _athanor_one_noise(task: Task, seed: int) -> Engine:
    from benchmarks.planner.ours import PlannerEngine

    return PlannerEngine(task, seed, "one")


def _athanor_replicates(task: Task, seed: int) -> Engine:
    from benchmarks.planner.ours import PlannerEngine

    return PlannerEngine(task, seed, "each")


def _botorch(task: Task, seed: int) -> Engine:
    from benchmarks.planner.plain import PlainEngine

    return PlainEngine(task, seed)


def _botorch_told(task: Task, seed: int) -> Engine:
    from benchmarks.planner.plain import told

    return told(task, seed)


def _mixture(task: Task, seed: int) -> Engine:
    from benchmarks.planner.mixture import MixtureEngine

    return MixtureEngine(task, seed)


def _ax(task: Task, seed: int) -> Engine:
    from benchmarks.planner.peer_ax import AxEngine

    return AxEngine(task, seed)


def _baybe(task: Task, seed: int) -> Engine:
    from benchmarks.planner.peer_baybe import BaybeEngine

    return BaybeEngine(task, seed)


def _bofire(task: Task, seed: int) -> Engine:
    from benchmarks.planner.peer_bofire import BofireEngine

    return BofireEngine(task, seed)


def _tpe(task: Task, seed: int) -> Engine:
    from benchmarks.planner.peer_optuna import tpe

    return tpe(task, seed)


def _optuna_gp(task: Task, seed: int) -> Engine:
    from benchmarks.planner.peer_optuna import gp

    return gp(task, seed)


def _composite(task: Task, seed: int) -> Engine:
    from benchmarks.planner.designs import central_composite

    return central_composite(task, seed)


def _behnken(task: Task, seed: int) -> Engine:
    from benchmarks.planner.designs import box_behnken

    return box_behnken(task, seed)


_OURS = (
    "campaigns",
    "surrogates",
    "loop",
    "benchmarks/planner/ours.py",
    "benchmarks/looking.py",
    "benchmarks/trials.py",
)
_BOTORCH = ("botorch", "gpytorch", "torch")
_NO_ROWS = "it has no lists of rows, so that each suggestion goes to the nearest row that is left, scaled"
_QUADRATIC = "in random order, a quadratic by least squares, its optimum, then a design half as wide around that"

ARMS: tuple[Arm, ...] = (
    Arm("Athanor", _athanor, "a campaign's planner with its defaults", _OURS),
    Arm("random", RandomEngine, "uniform choice"),
    Arm(
        "BoTorch",
        _botorch,
        "by hand: SingleTaskGP on the unit box, categories one-hot; LogEI over all rows or by optimize_acqf (8 "
        "restarts, 256 raw samples); qLogNEI with noise, constraints or pending points, qLogNEHVI with two objectives",
        distributions=_BOTORCH,
    ),
    Arm(
        "GP + trees",
        _mixture,
        "by hand: SingleTaskGP and 100 extremely randomised trees in equal parts, the row of the largest mean + 1 sd",
        needs="sklearn",
        distributions=("scikit-learn", *_BOTORCH),
    ),
    Arm("BayBE", _baybe, "Campaign's defaults, without repeats", (), "baybe", ("baybe", *_BOTORCH), 10),
    Arm(
        "BoFire",
        _bofire,
        "SoboStrategy's or MoboStrategy's defaults; on rows, its acquisition function's best row",
        needs="bofire",
        distributions=("bofire", *_BOTORCH),
        seeds=10,
    ),
    Arm(
        "Ax",
        _ax,
        f"Client's defaults; {_NO_ROWS}, and the suggestion failed",
        distributions=("ax-platform", *_BOTORCH),
        seeds=10,
    ),
    Arm("Optuna TPE", _tpe, f"TPESampler's defaults; {_NO_ROWS}", needs="optuna", distributions=("optuna",)),
    Arm(
        "Optuna GP",
        _optuna_gp,
        f"GPSampler, given whether there is noise; {_NO_ROWS}",
        needs="optuna",
        distributions=("optuna", "torch"),
    ),
    Arm(
        "central composite",
        _composite,
        f"face-centred, without the shared start, {_QUADRATIC}",
        needs="pydoe",
        distributions=("pydoe",),
        initial=0,
    ),
    Arm(
        "Box-Behnken",
        _behnken,
        f"without the shared start, {_QUADRATIC}",
        needs="pydoe",
        distributions=("pydoe",),
        initial=0,
    ),
)

REPLICATED: tuple[Arm, ...] = (
    Arm(
        "Athanor one noise",
        _athanor_one_noise,
        "Athanor as above, given only the means of replicates",
        _OURS,
    ),
    Arm(
        "Athanor replicates",
        _athanor_replicates,
        "Athanor as above, given each replicate as a trial, from which it estimates where the noise is large",
        _OURS,
    ),
    Arm(
        "BoTorch told",
        _botorch_told,
        "BoTorch as above, with the standard errors of replicates as fixed noise",
        distributions=_BOTORCH,
    ),
)
"""Compared where noise depends on the input; Athanor and BoTorch above get the standard errors, or nothing."""
