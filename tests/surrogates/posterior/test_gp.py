import numpy as np
import pytest
import torch
from scipy.stats import norm

from campaigns.space import SpaceConfig
from surrogates.posterior.encoder import Encoder, MaterialTable
from surrogates.posterior.gp import Observations, Prior, describe_gp, fit_gp, marginals

SPACE = SpaceConfig.model_validate({"parameters": {"x": {"kind": "float", "unit": "1", "low": 0, "high": 1}}})


def world(count: int, seed: int = 0) -> tuple[Encoder, torch.Tensor, np.random.Generator]:
    """A pool of 200 materials with 5 features and a prior, and ``count`` rows on it."""
    rng = np.random.default_rng(seed)
    embedding = rng.normal(size=(200, 5)) / np.sqrt(10)
    prior = embedding @ np.array([3.0, -2.0, 1.0, 0.0, 0.0]) + 3.5
    encoder = Encoder(SPACE, MaterialTable(tuple(map(str, range(200))), embedding, {"prior:v": prior}))
    places = rng.choice(200, count, replace=False)
    known = np.column_stack([embedding, prior])[places]
    return encoder, torch.from_numpy(np.column_stack([rng.random(count), known])), rng


def observe(rows: torch.Tensor, values: torch.Tensor, sd: float) -> Observations:
    return Observations(rows, values, torch.full_like(values, sd))


def test_marginals_are_those_of_botorch_s_posterior() -> None:
    encoder, rows, rng = world(30)
    values = rows[:, -1] * 100 + torch.from_numpy(rng.normal(size=30))
    model = fit_gp(observe(rows, values, 1.0), encoder, Prior("prior:v"))
    _, fresh, _ = world(40, seed=1)
    with torch.no_grad():
        posterior = model.posterior(fresh)
    mean, sd = marginals(model, fresh)
    assert torch.allclose(mean, posterior.mean.squeeze(-1), atol=1e-8)
    assert torch.allclose(sd, posterior.variance.sqrt().squeeze(-1), rtol=1e-6)


def test_a_good_prior_is_used_far_from_the_data() -> None:
    encoder, rows, rng = world(25)
    values = 2.0 * rows[:, -1] - 4.0 + 0.1 * torch.from_numpy(rng.normal(size=25))
    _, fresh, _ = world(100, seed=2)
    truth = 2.0 * fresh[:, -1] - 4.0
    errors = {}
    for prior in (None, "prior:v"):
        model = fit_gp(observe(rows, values, 0.1), encoder, prior and Prior(prior))
        errors[prior] = float((marginals(model, fresh)[0] - truth).abs().mean())
    assert errors["prior:v"] < 0.5 * errors[None]


def test_a_prior_of_the_wrong_sign_and_a_useless_one_are_learnt_as_such() -> None:
    encoder, rows, rng = world(60)
    for truth, check in (
        (-1.5 * rows[:, -1], lambda slope: slope < -0.5),
        (torch.sin(9 * rows[:, 0]), lambda slope: abs(slope) < 0.25),
    ):
        values = truth + 0.02 * torch.from_numpy(rng.normal(size=60))
        model = fit_gp(observe(rows, values, 0.02), encoder, Prior("prior:v"))
        (slope,) = describe_gp(model)["hyper_parameters"]["mean_module.slope"]
        assert check(slope), slope


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_intervals_cover_what_they_promise(level: float) -> None:
    inside = []
    for seed in range(6):
        encoder, rows, rng = world(120, seed)
        truth = rows[:, -1] + torch.sin(5 * rows[:, 0]) * (1 + rows[:, 1])
        values = truth + 0.1 * torch.from_numpy(rng.normal(size=120))
        model = fit_gp(observe(rows[:70], values[:70], 0.1), encoder, Prior("prior:v"))
        mean, sd = marginals(model, rows[70:])
        score = (values[70:] - mean) / (sd.square() + 0.01).sqrt()
        inside += (score.abs() < norm.ppf(0.5 + level / 2)).tolist()
    assert abs(np.mean(inside) - level) < 0.1


def test_noise_is_taken_as_it_comes() -> None:
    encoder, rows, _ = world(12)
    rows = rows[:1].repeat(12, 1)
    values = torch.tensor([1.0, 3.0] * 6, dtype=torch.float64)
    sds = torch.tensor([0.1, 10.0] * 6, dtype=torch.float64)
    mean, _ = marginals(fit_gp(Observations(rows, values, sds), encoder, None), rows[:1])
    assert float(mean) == pytest.approx(1.0, abs=0.1)


def test_fitting_is_deterministic() -> None:
    encoder, rows, rng = world(30)
    data = observe(rows, torch.from_numpy(rng.normal(size=30)), 0.1)
    one, two = (describe_gp(fit_gp(data, encoder, Prior("prior:v"))) for _ in range(2))
    assert one == two
    assert one["observations"] == 30


def test_equal_values_and_two_points_are_enough_to_fit() -> None:
    encoder, rows, _ = world(2)
    mean, sd = marginals(fit_gp(observe(rows, torch.ones(2, dtype=torch.float64), 0.0), encoder, None), rows)
    assert torch.allclose(mean, torch.ones(2, dtype=torch.float64), atol=1e-3)
    assert bool(sd.isfinite().all())


def test_a_share_of_a_known_number_is_as_uncertain_as_the_number_is_large() -> None:
    encoder, rows, rng = world(40)
    values = rows[:, -1] * (0.6 + 0.3 * torch.sin(5 * rows[:, 0])) + 0.01 * torch.from_numpy(rng.normal(size=40))
    model = fit_gp(observe(rows, values, 0.01), encoder, Prior("prior:v", factor=True))
    _, fresh, _ = world(60, seed=5)
    mean, sd = marginals(model, fresh)
    truth = fresh[:, -1] * (0.6 + 0.3 * torch.sin(5 * fresh[:, 0]))
    assert float((mean - truth).abs().mean()) < 0.2 * float(truth.std())
    doubled = fresh.clone()
    doubled[:, -1] *= 2
    assert bool((marginals(model, doubled)[1] > sd).all())
    with torch.no_grad():
        assert torch.allclose(model.posterior(fresh).variance.sqrt().squeeze(-1), sd, rtol=1e-6)
