import math

import pytest
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.sampling import SobolQMCNormalSampler

from campaigns.values import Candidate
from loop.planning.acquisition import acquisition_function
from loop.planning.baseline_sampling import NoisyExpectedImprovement
from loop.planning.fitting import fit_posterior
from loop.planning.mc_objective import ScoreObjective
from loop.planning.posterior import CampaignPosterior
from tests.loop.planning.test_acquisition import MATERIALS, World


@pytest.fixture(scope="module")
def learnt() -> tuple[World, CampaignPosterior]:
    world = World()
    return world, fit_posterior(world.problem, world.history(world.start(16)))


def test_samples_beside_a_baseline_are_botorchs(learnt: tuple[World, CampaignPosterior]) -> None:
    world, posterior = learnt
    history = world.history(world.start(16))
    rows = world.problem.encoder.encode([Candidate({"temperature": 850.0}, str(i)) for i in range(MATERIALS)])
    ours = acquisition_function(posterior, history, 3)
    score = posterior.outcomes[0]
    theirs = qLogNoisyExpectedImprovement(
        model=posterior.model,
        X_baseline=ours.X_baseline,
        sampler=SobolQMCNormalSampler(torch.Size([256]), seed=3),
        objective=ScoreObjective(posterior.layout),
        constraints=posterior.layout.constraints(posterior.slack_spreads),
        prune_baseline=False,
        tau_relu=1e-3 * float(score.std(correction=0)),
    )
    with torch.no_grad():
        assert torch.allclose(ours(rows.unsqueeze(-2)), theirs(rows.unsqueeze(-2)), rtol=1e-5)


def test_where_nothing_is_feasible_the_worst_is_improved_upon(learnt: tuple[World, CampaignPosterior]) -> None:
    world, posterior = learnt
    row = world.problem.encoder.encode([Candidate({"temperature": 850.0}, "7")])

    def improvement(worst: float) -> float:
        found = NoisyExpectedImprovement(
            torch.tensor(worst, dtype=torch.float64),
            model=posterior.model,
            X_baseline=posterior.rows,
            sampler=SobolQMCNormalSampler(torch.Size([64]), seed=0),
            objective=ScoreObjective(posterior.layout),
            constraints=[lambda samples: torch.ones_like(samples[..., 0])],  # broken everywhere
            prune_baseline=False,
        )
        with torch.no_grad():
            return float(found(row.unsqueeze(0)))

    score = float(posterior.problem.score(posterior.marginal(row, 64, 0)).mean())
    assert improvement(-100.0) - improvement(0.0) == pytest.approx(math.log((score + 100.0) / score), rel=0.05)
