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
