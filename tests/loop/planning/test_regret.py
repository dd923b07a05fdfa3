"""What is left to hope for, asked of a planner that learns from a laboratory that answers at once."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch

from campaigns.values import Scalar
from loop.core.records import RegretEstimate
from loop.planning.planner import Planner
from loop.planning.regret import _scores, estimate_regret
from surrogates.models.feasibility import Feasibility
from tests.planned import Lab, campaign

RULES = [{"kind": "target", "score": 1.9}, {"kind": "no_better", "improvement": 0.1}]


def hill(parameters: Mapping[str, Scalar], number: int) -> float:
    return 2.0 - 4.0 * (float(parameters["x0"]) - 0.3) ** 2


def left(planner: Planner) -> RegretEstimate | None:
    return planner.models.estimate_regret(planner.experiment.ended)


def after(lab: Lab, count: int) -> RegretEstimate:
    lab.run(count)
    found = left(lab.planner)
    assert found is not None
    return found


@pytest.mark.slow
def test_hope_fades_as_the_best_is_found() -> None:
    lab = Lab(campaign(1, stopping=RULES, planner={"initial": 3}), hill)
    early = after(lab, 4)
    late = after(lab, 8)
    (_, number, reached), (_, better) = late.reached[0], late.better[0]
    assert (late.gain or 0.0) < (early.gain or 0.0)
    assert better < 0.05
    assert reached > 0.95
    values = [t.score or 0.0 for t in lab.trials]
    assert values[number] >= 1.9
    assert values[late.incumbent] == pytest.approx(max(values), abs=0.01)


def test_in_the_start_nobody_asks_what_else_exists() -> None:
    lab = Lab(campaign(1, stopping=RULES), hill)
    assert after(lab, 6).better == ()
    assert left(Lab(campaign(1, stopping=RULES), hill).planner) is None


@pytest.mark.slow
def test_a_reading_that_is_high_by_luck_reaches_no_target() -> None:
    noise = np.random.default_rng(3).normal(0.0, 0.5, 30)

    def noisy(parameters: Mapping[str, Scalar], number: int) -> float:
        return -float(parameters["x0"]) + float(noise[number])

    lab = Lab(campaign(1, stopping=[{"kind": "target", "score": 0.4}], planner={"initial": 20}), noisy, sd=0.5)
    found = after(lab, 20)
    assert max(t.score or 0.0 for t in lab.trials) > 0.4
    assert found.reached[0][2] < 0.5


@pytest.mark.slow
def test_the_same_measurements_leave_the_same_hope_whatever_is_under_way() -> None:
    lab, other = (Lab(campaign(2, stopping=RULES), hill) for _ in range(2))
    found = after(lab, 10)
    other.planner.recall(lab.trials)
    other.planner.suggest()  # is under way
    assert left(other.planner) == found


@pytest.mark.slow
def test_what_is_bound_to_fail_is_no_hope() -> None:
    def cliff(parameters: Mapping[str, Scalar], number: int) -> float | str:
        x = float(parameters["x0"])
        return "it melts" if x > 0.5 else x

    plan = campaign(1, stopping=RULES[1:], planner={"initial": 6})
    lab, ignorant = Lab(plan, cliff), Lab(plan, cliff)
    heeded = after(lab, 16)
    measured = [t for t in lab.trials if t.score is not None]
    ignorant.planner.recall([replace(t, number=number) for number, t in enumerate(measured)])
    ignored = left(ignorant.planner)
    assert ignored is not None
    assert heeded.better[0][1] < 0.5 < ignored.better[0][1]


def test_what_was_measured_cannot_fail_and_the_rest_fails_together() -> None:
    lab = Lab(campaign(1, stopping=RULES), hill)
    lab.run(6)
    even = cast(Feasibility, lambda rows: torch.full((len(rows),), 0.5).double())
    posterior = replace(lab.planner.models.posterior(), prospects=even)
    rows = torch.cat([posterior.rows[:2], torch.tensor([[0.11], [0.62], [0.93]]).double()])
    failed = _scores(posterior, rows, 2, 0) == -torch.inf
    assert not bool(failed[:, :2].any())
    assert 0.3 < float(failed[:, 2].double().mean()) < 0.7
    assert bool((failed[:, 2:] == failed[:, 2:3]).all())


@pytest.mark.slow
def test_the_processes_alone_are_asked_what_was_measured_is_worth() -> None:
    lab = Lab(campaign(1, stopping=RULES[:1]), hill, sd=0.1)
    lab.run(6)
    models = lab.planner.models
    posterior, other = models.posterior(), Lab(campaign(1), lambda _, number: float(number))
    other.run(6)
    strangers = other.planner.models.posterior()
    of_averages = replace(posterior, models=strangers.models)
    of_processes = replace(posterior, processes=strangers.processes)
    found = [estimate_regret(one, models.measured, models.trials, 0) for one in (posterior, of_averages, of_processes)]
    assert found[0] == found[1] != found[2]


@pytest.mark.slow
def test_what_may_break_a_constraint_is_worth_no_less_than_the_worst_that_was_measured() -> None:
    objective = campaign(1).model_dump()["objective"] | {"constraints": [{"metric": "merit", "at_least": 1.9}]}
    lab = Lab(campaign(1, stopping=RULES, planner={"initial": 3}, objective=objective), hill, sd=0.2)
    found = after(lab, 8)
    worst = float(lab.planner.models.posterior().worst)
    samples = _scores(lab.planner.models.posterior(), lab.planner.models.posterior().rows, 8, 0)
    assert bool(torch.isinf(samples).any()), "each may break the constraint"
    assert worst <= found.score[0] < 2.5
    assert np.isfinite([found.score[1], found.gain or 0.0]).all()
