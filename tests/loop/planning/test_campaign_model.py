import pytest
import torch
from botorch.posteriors import GPyTorchPosterior

from campaigns.values import Candidate
from loop.planning.fitting import fit_posterior
from loop.planning.posterior import CampaignPosterior
from tests.loop.planning.test_acquisition import MATERIALS, World


@pytest.fixture(scope="module")
def learnt() -> tuple[World, CampaignPosterior]:
    world = World()
    return world, fit_posterior(world.problem, world.history(world.start(16)))


def covariance(posterior: GPyTorchPosterior) -> torch.Tensor:
    found: torch.Tensor = posterior.distribution.lazy_covariance_matrix.to_dense()
    return found


def test_a_batch_beside_one_baseline_is_predicted_as_each_alone(learnt: tuple[World, CampaignPosterior]) -> None:
    world, posterior = learnt
    rows = world.problem.encoder.encode([Candidate({"temperature": t}, "7") for t in (620.0, 800.0, 990.0)])
    baseline = posterior.rows[:6]
    together = posterior.model.posterior(torch.cat([baseline.expand(3, -1, -1), rows.unsqueeze(1)], dim=1))
    for place, row in enumerate(rows):
        alone = posterior.model.posterior(torch.cat([baseline, row.unsqueeze(0)]))
        assert torch.allclose(together.mean[place], alone.mean, rtol=1e-6)
        assert torch.allclose(covariance(together)[place], covariance(alone), rtol=1e-6, atol=1e-6)


def test_known_numbers_are_outputs_without_uncertainty(learnt: tuple[World, CampaignPosterior]) -> None:
    world, posterior = learnt
    rows = world.problem.encoder.encode([Candidate({"temperature": 800.0}, str(i)) for i in range(MATERIALS)])
    found = posterior.model.posterior(rows.unsqueeze(-2))
    assert found.mean[:, 0, 2].tolist() == world.cost.tolist()
    assert float(covariance(found)[:, 2, 2].max()) < 1e-6
    mean, sd = posterior.model.pointwise(rows)
    assert mean[:, 2].tolist() == world.cost.tolist()
    assert not bool(sd[:, 2].any())
    assert set(posterior.layout.metrics(found.mean)) == {"capacity", "purity", "cost"}


def test_other_outputs_and_noise_are_refused(learnt: tuple[World, CampaignPosterior]) -> None:
    _, posterior = learnt
    with pytest.raises(NotImplementedError, match="all outputs are predicted together"):
        posterior.model.posterior(posterior.rows, observation_noise=True)
