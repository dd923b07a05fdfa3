from dataclasses import replace

import numpy as np
import pytest
import torch

from loop.planning import screening
from loop.planning.fitting import fit_posterior
from loop.planning.posterior import CampaignPosterior
from loop.planning.screening import ScoreUpperConfidenceBound
from loop.planning.screening import screening as screened
from tests.loop.planning.test_acquisition import MATERIALS, World


def fitted() -> tuple[World, CampaignPosterior, torch.Tensor]:
    world = World()
    done = world.start(12)
    settings = [{"temperature": t} for t in (650.0, 820.0, 980.0)]
    rows = world.problem.encoder.encode_product(settings, np.arange(MATERIALS))
    return world, fit_posterior(world.problem, world.history(done)), rows


def test_merits_do_not_depend_on_how_many_candidates_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    _, posterior, rows = fitted()
    whole = screened(posterior, posterior.rows[:0], 3).merits(rows)
    monkeypatch.setattr(screening, "_TOGETHER", 7)
    for one, other in zip(whole, screened(posterior, posterior.rows[:0], 3).merits(rows), strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


def test_many_are_wanted_by_expected_score_and_some_uncertainty() -> None:
    _, posterior, rows = fitted()
    values = posterior.marginal(rows, 32, seed=3)
    score = torch.where(posterior.problem.feasible(values), posterior.problem.score(values), posterior.worst)
    expected = score.mean(dim=0) + 0.6 * score.std(dim=0)
    assert torch.allclose(ScoreUpperConfidenceBound(posterior, posterior.rows[:0], 3)(rows.unsqueeze(-2)), expected)


def test_what_breaks_a_bound_on_a_computed_metric_has_no_merit() -> None:
    world, posterior, rows = fitted()
    dear = torch.from_numpy(world.cost[rows[:, -1].long().numpy()] > 50)
    for merit in screened(posterior, posterior.rows[:0], 1).merits(rows):
        assert float(merit[dear].abs().max()) == 0
        assert float(merit[~dear].max()) > 0


def test_what_is_likely_infeasible_has_less_expected_improvement() -> None:
    _, posterior, rows = fitted()
    values = posterior.marginal(rows, 32, seed=3)
    kept, score = posterior.problem.feasible(values), posterior.problem.score(values)
    measured, feasible = posterior.outcomes
    gain = (score - measured[feasible].max()).clamp_min(0.0)
    expected = (gain * kept).mean(dim=0) * posterior.problem.possible(rows)
    assert float((gain.mean(dim=0) - expected).max()) > 0.0
    assert torch.allclose(screened(posterior, posterior.rows[:0], 3).merits(rows)[0], expected)


def test_the_second_merit_is_optimistic() -> None:
    _, posterior, rows = fitted()
    values = posterior.marginal(rows, 32, seed=3)
    score, kept = posterior.problem.score(values), posterior.problem.feasible(values).double().mean(dim=0) + 1e-3
    high = score.mean(dim=0) + 2.0 * score.std(dim=0)
    expected = (high - score.min()) * kept * posterior.problem.possible(rows)
    assert torch.allclose(screened(posterior, posterior.rows[:0], 3).merits(rows)[1], expected)


def test_settings_are_explored_less_as_the_campaigns_own_trials_become_more() -> None:
    world, posterior, rows = fitted()
    plain = replace(posterior, problem=replace(world.problem, encoder=replace(world.problem.encoder, materials=None)))
    trials = world.problem.campaign.budget.trials
    explored = [
        ScoreUpperConfidenceBound(replace(plain, imported=number), rows[:0], 0)._exploration for number in (0, 12)
    ]
    assert explored == [pytest.approx(1.2 * max(1.0 - 12 / trials, 0.0)), pytest.approx(1.2)]
