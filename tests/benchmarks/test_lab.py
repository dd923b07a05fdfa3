"""Functions with a known optimum, and campaigns that look for it."""

from itertools import islice

import numpy as np
import pytest

from benchmarks.lab import METRIC, Problem, compared, trials
from campaigns.values import Candidate

BEST = {"x0": 0.114614, "x1": 0.555649, "x2": 0.852547}  # of Hartmann's function of three variables


def test_the_optimum_has_no_regret_and_what_is_idle_changes_nothing() -> None:
    assert Problem("h", "hartmann3").regret(Candidate(BEST)) == pytest.approx(0.0, abs=1e-4)
    assert Problem("h", "hartmann3", idle=1).regret(Candidate(BEST | {"x3": 0.7})) == pytest.approx(0.0, abs=1e-4)
    assert Problem("a", "ackley20").regret(Candidate({f"x{i}": 1 / 3 for i in range(20)})) == pytest.approx(0.0)


def test_the_regret_on_a_grid_is_that_of_the_grid() -> None:
    grid = Problem("g", "hartmann3", levels=3)
    campaign = grid.campaign(seed=0, trials=30)
    levels = campaign.space.parameters["x0"].levels  # type: ignore[union-attr]
    each = [
        grid.regret(Candidate({"x0": float(a), "x1": float(b), "x2": float(c)}))
        for a in levels
        for b in levels
        for c in levels
    ]
    assert min(each) == pytest.approx(0.0)


@pytest.mark.slow
def test_trials_are_measured_and_look_ahead_once_a_model_chooses() -> None:
    rules = [{"kind": "no_better", "improvement": 0.1}]
    problem = Problem("h", "hartmann3", noise=0.1)
    campaign = problem.campaign(0, 20, planner={"initial": 4}, stopping=rules)
    found = list(islice(trials(problem, campaign), 5))
    assert [trial.regret is not None for trial in found] == [False] * 4 + [True]
    off = [trial.metrics[METRIC].value - problem.truth(trial.candidate) for trial in found]
    assert 0.0 < max(map(abs, off)) < 0.5


def test_hints_are_compared_with_none_seed_by_seed() -> None:
    found = {"none": [[3.0, 2.0], [3.0, 1.0], [3.0, 1.0]], "related": [[2.0, 1.0], [1.0, 1.0], [3.0, 2.0]]}
    arrays = {name: [np.array(regrets) for regrets in each] for name, each in found.items()}
    grid = compared("title", "hint", ["by 5", "by 9"], arrays, "the regret.")
    assert grid.rows == (("none", "3.000", "1.000", "0, 0"), ("related", "2.000", "1.000", "1, 1"))
    assert set(Problem("h", "hartmann3").hints) == {"none", "related", "unrelated"}
