"""Which candidates are looked at closely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from campaigns.values import Candidate, MetricValue
from loop.planning.fitting import fit_posterior
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import TrainingData
from loop.planning.shortlist import SpaceExhaustedError, shortlist
from surrogates.models.encoder import Encoder
from tests.loop.planning.test_cost_weighting import box

BLIND: dict[str, Any] = {"planner": {"cost": "blind"}}


def offered(seed: int = 0, pending: Sequence[Candidate] = (), **changes: Any) -> list[Candidate]:
    """Return the shortlist of a campaign in which a gives all and b costs, after eight trials."""
    plan = box(**changes)
    places = np.random.default_rng(0).random((8, 2)).round(3)
    done = [Candidate({"a": float(a), "b": float(b)}) for a, b in places]
    values = [MetricValue(float(np.sin(5 * a)), 0.01, "1") for a, _ in places]
    history = TrainingData(done, {"f": values}, pending, frozenset(c.key() for c in (*done, *pending)))
    return shortlist(fit_posterior(OptimizationProblem(plan, Encoder(plan.space)), history), history, seed)


def mean(found: list[Candidate], name: str) -> float:
    return float(np.mean([float(c.parameters[name]) for c in found]))


def test_of_the_whole_space_what_is_promising_is_kept() -> None:
    found = offered(**BLIND)
    assert len(found) == len({c.key() for c in found}) > 20
    assert 0.2 < mean(found, "a") < 0.45, "sin(5 a) is highest at 0.31"


@pytest.mark.slow
def test_what_costs_less_is_kept_where_cost_is_weighed() -> None:
    aware, blind = (sum(float(c.parameters["b"]) < 0.1 for c in offered(**changes)) for changes in ({}, BLIND))
    assert aware > 1.5 * blind


@pytest.mark.slow
def test_what_lies_near_a_pending_candidate_is_no_longer_the_most_promising() -> None:
    def away(found: list[Candidate]) -> float:
        return float(np.mean([abs(float(c.parameters["a"]) - float(first.parameters["a"])) for c in found[:10]]))

    first = offered(**BLIND)[0]
    assert away(offered(pending=[first], **BLIND)) > 2.0 * away(offered(**BLIND))


@pytest.mark.slow
def test_the_shortlist_follows_from_the_seed() -> None:
    assert offered(1) == offered(1)
    assert offered(1) != offered(2)


def test_a_space_of_which_all_was_proposed_is_exhausted() -> None:
    levels = {"kind": "ordinal", "unit": "1", "levels": [0.0, 1.0]}
    plan = box(space={"parameters": {"a": levels, "b": levels}})
    done = [Candidate({"a": a, "b": b}) for a in (0.0, 1.0) for b in (0.0, 1.0)]
    values = [MetricValue(float(i), 0.01, "1") for i in range(4)]
    history = TrainingData(done, {"f": values}, [], frozenset(c.key() for c in done))
    posterior = fit_posterior(OptimizationProblem(plan, Encoder(plan.space)), history)
    with pytest.raises(SpaceExhaustedError):
        shortlist(posterior, history, 0)
