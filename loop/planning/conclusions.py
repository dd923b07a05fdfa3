"""What the models conclude from the trials that have ended, apart from what to try next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from loop.core.records import FEWEST, PosteriorBest, RegretEstimate, TrialRecord
from loop.planning.numerical_errors import NUMERICAL_ERRORS, shortened
from loop.planning.planner import Planner

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why the models could not be asked: their numerics failed."""

    why: str


@dataclass(frozen=True, slots=True)
class Leader:
    """The best measured candidate by the posterior.

    Attributes:
        found: it, or None where there is none.
        doubtful: number of a trial to why its candidate is probably not feasible.
    """

    found: PosteriorBest | None
    doubtful: dict[int, str]


@dataclass(frozen=True, slots=True)
class Conclusions:
    """What the models say after some trials have ended.

    Attributes:
        health: number of a trial, metric, and what has changed about that metric's model.
        outliers: number of a trial that is a suspected outlier to the reason.
        leader: None where none is looked for.
    """

    health: tuple[tuple[int, str, str], ...]
    outliers: dict[int, str] | NoAnswer
    leader: Leader | NoAnswer | None


def conclude(planner: Planner, ended: Sequence[TrialRecord], *, wants_leader: bool) -> Conclusions:
    """Have a planner learn how trials ended, and ask its models.

    Args:
        planner: learns.
        ended: in the order in which they ended.
        wants_leader: whether the best candidate is looked for, or a front.
    """
    health = [(trial.number, metric, change.text) for trial in ended for metric, change in planner.ingest(trial)]
    models = planner.models
    outliers = _answer(models.outliers)
    leader = None
    if wants_leader and models.scored >= FEWEST:
        leader = _answer(lambda: Leader(models.posterior_best(), models.doubts()))
    return Conclusions(tuple(health), outliers, leader)


def regret(planner: Planner) -> RegretEstimate | NoAnswer | None:
    """Return how much better than the best measured candidate the best possible one may be; None before a model."""
    return _answer(lambda: planner.models.estimate_regret(planner.experiment.ended))


def _answer(ask: Callable[[], _T]) -> _T | NoAnswer:
    try:
        return ask()
    except NUMERICAL_ERRORS as error:
        return NoAnswer(f"the models could not be asked ({shortened(error)}); what they said before stands")
