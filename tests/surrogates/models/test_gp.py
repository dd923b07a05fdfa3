import math
from typing import Any

import numpy as np
import pytest
import torch
from botorch.acquisition import LogExpectedImprovement, qKnowledgeGradient, qLogExpectedImprovement
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.cross_validation import loo_cv
from botorch.exceptions.errors import UnsupportedError
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.gpytorch import GPyTorchModel
from botorch.optim import optimize_acqf
from botorch.sampling import SobolQMCNormalSampler
from botorch.test_functions import Hartmann
from botorch.utils.sampling import draw_sobol_samples
from gpytorch.kernels import ConstantKernel, MaternKernel, ScaleKernel
from gpytorch.means import ZeroMean
from gpytorch.mlls import ExactMarginalLogLikelihood
from scipy.stats import norm

from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate
from surrogates.models.base import Fantasized
from surrogates.models.encoder import Encoder, MaterialTable
from surrogates.models.fit import fit_gp
from surrogates.models.gp import MetricGP, MetricUnits
from surrogates.models.means import PoolPrior
from surrogates.models.model_selection import MIXTURE
from surrogates.models.observations import Observations
from surrogates.models.problem import FittedKernel, RegressionProblem, Standardised

SPACE = SpaceConfig.model_validate(
    {
        "parameters": {"x": {"kind": "float", "unit": "1", "low": 0, "high": 1}},
        "pool": {"kind": "generator", "function": "a.b:c"},
    }
)
PRIOR = PoolPrior("prior:v")


def world(count: int, seed: int = 0) -> tuple[Encoder, torch.Tensor, np.random.Generator]:
    """A pool of 200 materials with two views and a prior, and ``count`` rows on it."""
    rng = np.random.default_rng(seed)
    told = rng.normal(size=(200, 5)) / np.sqrt(10)
    noise = rng.normal(size=(200, 5)) / np.sqrt(10)
    prior = told @ np.array([3.0, -2.0, 1.0, 0.0, 0.0]) + 3.5
    table = MaterialTable(tuple(map(str, range(200))), {"told": told, "noise": noise}, {"prior:v": prior})
    places = rng.choice(200, count, replace=False)
    rows = np.column_stack([rng.random(count), places])
    return Encoder(SPACE, table), torch.from_numpy(rows), rng


def prior_of(encoder: Encoder, rows: torch.Tensor) -> torch.Tensor:
    return encoder.number("prior:v", rows)


def told(encoder: Encoder, rows: torch.Tensor) -> torch.Tensor:
    assert encoder.materials is not None
    return torch.from_numpy(encoder.materials.views["told"][encoder.places(rows)])


def observe(rows: torch.Tensor, values: torch.Tensor, sd: float) -> Observations:
    return Observations(rows, values, torch.full_like(values, sd))


def noisy(values: torch.Tensor, sd: float, rng: np.random.Generator) -> torch.Tensor:
    return values + sd * torch.from_numpy(rng.normal(size=len(values)))


@pytest.mark.parametrize("task", ["plain", "prior", "factor", "floor", "inflated"])
def test_marginals_and_joint_are_what_gpytorch_says_of_the_same_model(task: str) -> None:
    encoder, rows, rng = world(40)
    values = noisy(prior_of(encoder, rows), 0.1, rng)
    tasks = {
        "plain": RegressionProblem(encoder),
        "prior": RegressionProblem(encoder, PRIOR),
        "factor": RegressionProblem(encoder, PoolPrior("prior:v", factor=True)),
        "floor": RegressionProblem(encoder, floor=float(values.median())),
        "inflated": RegressionProblem(encoder, inflation=2.0),
    }
    values = values.clamp_min(float(values.median())) if task == "floor" else values
    gp = fit_gp(tasks[task], observe(rows, values, 0.1))
    _, fresh, _ = world(40, seed=1)
    with torch.no_grad():
        posterior = GPyTorchModel.posterior(gp, fresh)
    mean, sd = gp.marginals(fresh)
    together, spread = gp.joint(fresh)
    assert torch.allclose(mean, posterior.mean.squeeze(-1), atol=1e-8)
    assert torch.allclose(sd, posterior.variance.sqrt().squeeze(-1), rtol=1e-6)
    assert torch.allclose(together, mean)
    assert torch.allclose(spread, posterior.distribution.covariance_matrix, atol=1e-8)


def test_single_precision_changes_nothing_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, rows, rng = world(60)
    gp = fit_gp(RegressionProblem(encoder, PRIOR), observe(rows, noisy(prior_of(encoder, rows), 0.05, rng), 0.05))
    exact = gp.marginals(rows)
    monkeypatch.setattr("surrogates.models.gp._EXACT", 0)
    for one, other in zip(exact, gp.marginals(rows), strict=True):
        assert torch.allclose(one, other, rtol=1e-2, atol=1e-3)


def test_a_pool_is_scored_in_parts_as_it_is_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, rows, rng = world(60)
    gp = fit_gp(RegressionProblem(encoder, PRIOR), observe(rows, noisy(prior_of(encoder, rows), 0.05, rng), 0.05))
    whole = gp.marginals(rows)
    monkeypatch.setattr("surrogates.models.gp._FULLY", 10)
    monkeypatch.setattr("surrogates.models.base._PAIRS", 7 * len(rows))
    for one, other in zip(whole, gp.marginals(rows), strict=True):
        assert torch.allclose(one, other, rtol=1e-10)


@pytest.mark.parametrize("elsewhere", [0.0, 0.2])
def test_materials_of_a_scored_pool_are_known_from_it_where_they_are_asked_with_the_same_settings(
    monkeypatch: pytest.MonkeyPatch, elsewhere: float
) -> None:
    encoder, rows, rng = world(40)
    process = fit_gp(RegressionProblem(encoder, PRIOR), observe(rows, noisy(prior_of(encoder, rows), 0.1, rng), 0.1))
    some = torch.tensor([[0.3 + elsewhere, 17.0], [0.3, 150.0], [0.3, 3.0]], dtype=torch.float64)
    alone = process.marginals(some)
    monkeypatch.setattr("surrogates.models.gp._LARGE", 3)
    pool = torch.column_stack([torch.full((200,), 0.3, dtype=torch.float64), torch.arange(200)])
    process.marginals(pool)
    scored: list[int] = []
    plainly = MetricGP._scored

    def counting(*asked: Any) -> Any:
        scored.append(len(asked[1]))
        return plainly(*asked)

    monkeypatch.setattr(MetricGP, "_scored", counting)
    for known, afresh in zip(process.marginals(some), alone, strict=True):
        torch.testing.assert_close(known, afresh, rtol=1e-9, atol=1e-12)
    assert scored == ([3] if elsewhere else [])


def test_a_good_prior_is_used_far_from_the_data() -> None:
    encoder, rows, rng = world(25)
    values = noisy(2.0 * prior_of(encoder, rows) - 4.0, 0.1, rng)
    _, fresh, _ = world(100, seed=2)
    truth = 2.0 * prior_of(encoder, fresh) - 4.0
    errors = {}
    for prior in (None, PRIOR):
        gp = fit_gp(RegressionProblem(encoder, prior), observe(rows, values, 0.1))
        errors[prior] = float((gp.marginals(fresh)[0] - truth).abs().mean())
    assert errors[PRIOR] < 0.5 * errors[None]


@pytest.mark.parametrize("sign", [-1.5, 0.0])
def test_a_prior_of_the_wrong_sign_and_a_useless_one_are_dropped(sign: float) -> None:
    encoder, rows, rng = world(20)
    values = noisy(sign * prior_of(encoder, rows) + torch.sin(9 * rows[:, 0]), 0.02, rng)
    gp = fit_gp(RegressionProblem(encoder, PRIOR), observe(rows, values, 0.02))
    assert not gp.account["prior"]["used"]
    assert gp.account["prior"]["slope"] == 0
    assert "without prior" in gp.account["loo"]


def test_a_view_that_says_nothing_loses_its_weight() -> None:
    encoder, rows, rng = world(80)
    values = noisy(torch.sin(6 * told(encoder, rows)[:, 0]) + rows[:, 0], 0.05, rng)
    account = fit_gp(RegressionProblem(encoder), observe(rows, values, 0.05)).account
    assert account["features"].get("noise", 0.0) < 0.2
    assert account["loo"]["told"] > account["loo"]["noise"]


def test_a_simple_feature_wins_by_itself_where_the_others_say_nothing() -> None:
    rng = np.random.default_rng(3)
    volume, blind = rng.normal(size=(300, 1)) / np.sqrt(2), rng.normal(size=(300, 20)) / np.sqrt(40)
    table = MaterialTable(tuple(map(str, range(300))), {"blind": blind, "volume": volume, "constant": blind * 0}, {})
    space = SpaceConfig.model_validate({"pool": {"kind": "generator", "function": "a.b:c"}})
    places = rng.choice(300, 60, replace=False)
    rows, fresh = torch.from_numpy(places[:, None].astype(float)), torch.arange(300).unsqueeze(-1).double()
    truth = torch.from_numpy((volume[:, 0] - 0.4) ** 2)
    gp = fit_gp(RegressionProblem(Encoder(space, table)), observe(rows, truth[places], 0.01))
    error = (gp.marginals(fresh)[0] - truth).abs().mean() / (truth - truth.mean()).abs().mean()
    assert float(error) < 0.15
    assert gp.account["features"]["volume"] > 0.8
    assert "constant" not in gp.account["features"]


@pytest.mark.slow
@pytest.mark.parametrize(("level", "off"), [(0.5, 0.15), (0.95, 0.05)])
def test_intervals_cover_their_share(level: float, off: float) -> None:
    inside: list[bool] = []
    for seed in range(6):
        encoder, rows, rng = world(120, seed)
        truth = prior_of(encoder, rows) + torch.sin(5 * rows[:, 0]) * (1 + told(encoder, rows)[:, 0])
        values = noisy(truth, 0.1, rng)
        gp = fit_gp(RegressionProblem(encoder, PRIOR), observe(rows[:70], values[:70], 0.1))
        mean, sd = gp.marginals(rows[70:])
        score = (values[70:] - mean) / (sd.square() + 0.01).sqrt()
        inside += (score.abs() < norm.ppf(0.5 + level / 2)).tolist()
    assert abs(np.mean(inside) - level) < off


def test_what_lies_at_the_floor_teaches_that_others_lie_beneath() -> None:
    encoder, rows, rng = world(100)
    hidden = 3 * told(encoder, rows)[:, 0] + rows[:, 0] - 0.8
    values = noisy(hidden, 0.02, rng).clamp_min(0.0)
    assert 0.5 < float((values == 0).double().mean()) < 0.9
    _, fresh, _ = world(150, seed=4)
    truth = 3 * told(encoder, fresh)[:, 0] + fresh[:, 0] - 0.8
    found = {}
    for floor in (None, 0.0):
        mean, _ = fit_gp(RegressionProblem(encoder, floor=floor), observe(rows, values, 0.02)).marginals(fresh)
        found[floor] = float((mean.clamp_min(0.0) - truth.clamp_min(0.0)).abs().mean())
    assert found[0.0] < 0.8 * found[None]


def test_a_metric_that_is_at_its_floor_everywhere_is_no_error() -> None:
    encoder, rows, _ = world(12)
    gp = fit_gp(RegressionProblem(encoder, floor=0.0), observe(rows, torch.zeros(12, dtype=torch.float64), 0.05))
    mean, sd = gp.marginals(rows)
    assert bool((mean < 0.05).all())
    assert bool(sd.isfinite().all())
    _, fresh, _ = world(40, seed=2)
    assert float(gp.marginals(fresh)[1].mean()) > float(sd.mean())  # others may well lie above


def test_where_most_lie_at_the_floor_the_others_say_how_far_any_may_lie_above_it() -> None:
    encoder, rows, _ = world(20)
    values = torch.zeros(20, dtype=torch.float64)
    values[7] = 4.0
    _, fresh, _ = world(100, seed=2)
    sd = fit_gp(RegressionProblem(encoder, floor=0.0), observe(rows, values, 0.05)).marginals(fresh)[1]
    assert float(sd.median()) > 2.0  # the values' own spread is 0.9


def test_noise_is_taken_as_it_comes() -> None:
    encoder, rows, _ = world(12)
    rows = rows[:1].repeat(12, 1)
    values = torch.tensor([1.0, 3.0] * 6, dtype=torch.float64)
    sds = torch.tensor([0.1, 10.0] * 6, dtype=torch.float64)
    mean, _ = fit_gp(RegressionProblem(encoder), Observations(rows, values, sds)).marginals(rows[:1])
    assert float(mean) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("stated", "shown"), [(0.5, 0.01), (0.01, 0.5)])
def test_the_noise_of_a_measurement_is_what_is_stated_and_no_less_than_what_replicates_show(
    stated: float, shown: float
) -> None:
    rows = torch.from_numpy(np.random.default_rng(6).random((12, 6))).repeat(2, 1)
    values = hartmann(rows) + shown / math.sqrt(2.0) * torch.tensor([1.0, -1.0]).repeat_interleave(12).double()
    gp = fit_gp(RegressionProblem(BOX), Observations(rows, values, torch.full((24,), stated, dtype=torch.float64)))
    assert float(gp.noise(rows[:1]).sqrt()) == pytest.approx(0.5, rel=1e-6)


def test_learning_is_deterministic() -> None:
    encoder, rows, rng = world(30)
    data = observe(rows, torch.from_numpy(rng.normal(size=30)), 0.1)
    one, two = (fit_gp(RegressionProblem(encoder, PRIOR), data).describe() for _ in range(2))
    assert one == two
    assert one["observations"] == 30
    assert set(one["loo"]) >= {MIXTURE, "told", "noise", "without prior"}


def test_equal_values_and_two_points_are_enough() -> None:
    encoder, rows, _ = world(2)
    mean, sd = fit_gp(RegressionProblem(encoder), observe(rows, torch.ones(2, dtype=torch.float64), 0.0)).marginals(
        rows
    )
    assert torch.allclose(mean, torch.ones(2, dtype=torch.float64), atol=1e-3)
    assert bool(sd.isfinite().all())


def test_a_share_of_a_known_number_is_as_uncertain_as_the_number_is_large() -> None:
    encoder, rows, rng = world(40)
    number = prior_of(encoder, rows)
    values = noisy(number * (0.6 + 0.3 * torch.sin(5 * rows[:, 0])), 0.01, rng)
    gp = fit_gp(RegressionProblem(encoder, PoolPrior("prior:v", factor=True)), observe(rows, values, 0.01))
    _, fresh, _ = world(60, seed=5)
    mean, sd = gp.marginals(fresh)
    truth = prior_of(encoder, fresh) * (0.6 + 0.3 * torch.sin(5 * fresh[:, 0]))
    assert float((mean - truth).abs().mean()) < 0.2 * float(truth.std())
    size = prior_of(encoder, fresh)
    assert float(torch.corrcoef(torch.stack([sd, size]))[0, 1]) > 0.5


def test_fantasizing_what_is_expected_leaves_the_mean_and_shrinks_the_rest() -> None:
    encoder, rows, rng = world(60)
    gp = fit_gp(RegressionProblem(encoder), observe(rows[:40], noisy(prior_of(encoder, rows[:40]), 0.1, rng), 0.1))
    mean, sd = gp.marginals(rows)
    pending = rows[40:43]
    same, less = Fantasized(gp, pending).marginals(rows)
    assert torch.equal(same, mean)
    assert bool((less <= sd + 1e-9).all())
    assert float(less[40:43].max()) < 0.2 * float(sd[40:43].min())
    expected = gp.joint(torch.cat([rows[50:], pending]))[1]
    own = expected[-3:, -3:]
    known = own + (1e-4 * own.diagonal().mean() + 1e-9) * torch.eye(3, dtype=torch.float64)
    left = expected[:-3, :-3] - expected[:-3, -3:] @ torch.linalg.solve(known, expected[-3:, :-3])
    assert torch.allclose(less[50:].square(), left.diagonal(), rtol=1e-6)


def test_inflated_predictions_are_less_sure_and_no_different() -> None:
    encoder, rows, rng = world(40)
    data = observe(rows, noisy(prior_of(encoder, rows), 0.1, rng), 0.1)
    plain, wide = (fit_gp(RegressionProblem(encoder, inflation=f), data).marginals(rows) for f in (1.0, 2.5))
    assert torch.equal(plain[0], wide[0])
    assert torch.allclose(2.5 * plain[1], wide[1])


@pytest.mark.slow
def test_many_measurements_are_learnt_from_though_few_fit_the_hyper_parameters() -> None:
    encoder, rows, rng = world(200)
    rows = torch.cat([rows, rows, rows])
    rows[:, 0] = torch.from_numpy(rng.random(len(rows)))
    values = noisy(prior_of(encoder, rows), 0.1, rng)
    gp = fit_gp(RegressionProblem(encoder), observe(rows, values, 0.1))
    assert isinstance(gp, MetricGP)
    assert len(gp.rows) == 600
    assert float((gp.marginals(rows)[0] - prior_of(encoder, rows)).abs().mean()) < 0.1


def test_where_nothing_was_measured_not_as_much_is_expected_as_where_most_was() -> None:
    """A campaign measures the good candidates most, so that the mean of its measurements is no guess for the others."""
    number = {"kind": "float", "low": 0, "high": 1, "unit": "1"}
    encoder = Encoder(SpaceConfig.model_validate({"parameters": {"x": number, "y": number}}))
    good = [(0.82 + 0.04 * i, 0.82 + 0.04 * j) for i in range(4) for j in range(4)]
    places = [*good, (0.5, 0.6), (0.6, 0.4), (0.3, 0.7)]
    values = torch.tensor([math.exp(-((x - 0.9) ** 2 + (y - 0.9) ** 2) / 0.02) for x, y in places]).double()
    rows, far = (
        encoder.encode([Candidate({"x": x, "y": y}) for x, y in at]) for at in (places, [(0.1, 0.1), (0.1, 0.9)])
    )
    mean, _ = fit_gp(RegressionProblem(encoder, conservative=True), observe(rows, values, 0.01)).marginals(far)
    assert values.mean() > 0.65
    assert float(mean.max()) < 0.25


BOX = Encoder(SpaceConfig.model_validate({"parameters": {f"x{i}": SPACE.parameters["x"] for i in range(6)}}))


def hartmann(rows: torch.Tensor) -> torch.Tensor:
    return Hartmann(6, negate=True).evaluate_true(rows).double().neg()


def in_the_box(count: int) -> MetricGP:
    rows = draw_sobol_samples(torch.tensor([[0.0] * 6, [1.0] * 6]).double(), count, 1, seed=1).squeeze(1)
    return fit_gp(RegressionProblem(BOX, plain=True), observe(rows, hartmann(rows), 0.01))


def test_a_plain_botorch_model_with_the_same_kernel_says_the_same() -> None:
    gp = in_the_box(30)
    kernel, values = gp.covar_module, gp.describe()["hyper_parameters"]
    matern = MaternKernel(2.5, ard_num_dims=6).double()
    matern.lengthscale = kernel.lengthscale.detach()
    constant, scaled = ConstantKernel().double(), ScaleKernel(matern).double()
    constant.constant = torch.tensor([kernel.spec.constant]).double()
    scaled.outputscale = values["process"]
    plain = SingleTaskGP(
        gp.rows,
        gp.data.targets.unsqueeze(-1),
        gp.data.noise.unsqueeze(-1),
        covar_module=scaled + constant,
        mean_module=ZeroMean(),
        outcome_transform=None,
    )
    fresh = torch.from_numpy(np.random.default_rng(2).random((7, 3, 6)))
    ours, theirs = gp.posterior(fresh), plain.posterior(fresh)
    torch.testing.assert_close(ours.mean, gp.shift + gp.scale * theirs.mean, rtol=1e-6, atol=1e-8)
    expected = gp.scale**2 * theirs.distribution.covariance_matrix
    torch.testing.assert_close(ours.distribution.covariance_matrix, expected, rtol=1e-5, atol=1e-7)


def test_conditioning_is_learning_at_the_same_hyper_parameters() -> None:
    gp = in_the_box(30)
    rng = np.random.default_rng(5)
    new, fresh = torch.from_numpy(rng.random((4, 6))), torch.from_numpy(rng.random((9, 6)))
    noise = gp.noise(new).unsqueeze(-1)
    values = hartmann(new).unsqueeze(-1)
    found = gp.condition_on_observations(new, values, noise).posterior(fresh)
    logs = torch.tensor(list(gp.describe()["hyper_parameters"].values()), dtype=torch.float64).log()
    seen = Observations(
        torch.cat([gp.rows, new]),
        torch.cat([gp.shift + gp.scale * gp.data.targets, values.squeeze(-1)]),
        torch.cat(
            [(gp.data.noise - gp.excess).sqrt() * gp.scale, (noise.squeeze(-1) - gp.excess * gp.scale**2).sqrt()]
        ),
    )
    start = Standardised(RegressionProblem(BOX), seen, (gp.shift, gp.scale))
    again = FittedKernel.at(start, gp.covar_module.spec, None, logs)
    units = MetricUnits(gp.shift, gp.scale)
    mean, sd = MetricGP(again, seen.rows, units).marginals(fresh)
    torch.testing.assert_close(found.mean.squeeze(-1), mean, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.variance.squeeze(-1).sqrt(), sd, rtol=5e-3, atol=1e-4)


@pytest.mark.parametrize("batch", [(), (2,)])
def test_fantasies_are_models_whose_uncertainty_has_shrunk(batch: tuple[int, ...]) -> None:
    gp = in_the_box(30)
    at = torch.from_numpy(np.random.default_rng(5).random((*batch, 3, 6)))
    fantasy = gp.fantasize(at, SobolQMCNormalSampler(torch.Size([4]), seed=0))
    after = fantasy.posterior(at)
    assert fantasy.batch_shape == (4, *batch)
    assert gp.batch_shape == ()
    assert after.mean.shape == (4, *batch, 3, 1)
    assert bool((after.variance < 0.2 * gp.posterior(at).variance).all())


def test_fantasies_do_not_depend_on_the_unit_of_the_metric() -> None:
    rng = np.random.default_rng(4)
    rows, at = (torch.from_numpy(rng.random((count, 6))) for count in (20, 3))
    values, sds = hartmann(rows), torch.full((20,), 0.3, dtype=torch.float64)
    means = []
    for unit in (1.0, 1e-3):
        gp = fit_gp(RegressionProblem(BOX), Observations(rows, unit * values, unit * sds))
        fantasy = gp.fantasize(at.unsqueeze(-2), SobolQMCNormalSampler(torch.Size([4]), seed=0))
        means.append(fantasy.posterior(at.unsqueeze(-2)).mean / unit)
    torch.testing.assert_close(*means, rtol=1e-3, atol=1e-3)


def test_botorch_maximises_its_own_acquisition_function_on_it() -> None:
    gp = in_the_box(40)
    bounds = torch.tensor([[0.0] * 6, [1.0] * 6]).double()
    acquisition = qLogNoisyExpectedImprovement(
        gp, gp.rows, SobolQMCNormalSampler(torch.Size([32]), seed=0), prune_baseline=False
    )
    torch.manual_seed(0)
    best, value = optimize_acqf(acquisition, bounds, q=1, num_restarts=4, raw_samples=64)
    random = torch.from_numpy(np.random.default_rng(0).random((4096, 1, 6)))
    with torch.no_grad():
        assert float(value) > float(torch.cat([acquisition(part) for part in random.split(512)]).max())
    assert best.shape == (1, 6)


def test_fitted_anew_by_botorch_it_says_what_its_new_hyper_parameters_say() -> None:
    gp = in_the_box(25)
    before = gp.marginals(gp.rows + 0.05)[0]
    mll = ExactMarginalLogLikelihood(gp.likelihood, gp)
    mll.train()
    with torch.no_grad():
        gp.covar_module.raw_lengthscale += 0.5
    mll.eval()
    after = gp.marginals(gp.rows + 0.05)[0]
    assert not torch.allclose(before, after)
    torch.testing.assert_close(
        after, GPyTorchModel.posterior(gp, gp.rows + 0.05).mean.squeeze(-1), rtol=1e-5, atol=1e-7
    )


def other_hyper_parameters(gp: MetricGP) -> dict[str, torch.Tensor]:
    return {name: value + 0.5 for name, value in gp.state_dict().items()}


@pytest.mark.parametrize("listed", [False, True])
def test_loaded_hyper_parameters_are_those_that_it_predicts_with(listed: bool) -> None:
    gp = in_the_box(25)
    rows = gp.rows + 0.05
    before, evidence = gp.posterior(rows), gp.evidence
    whole = ModelListGP(gp) if listed else gp
    whole.load_state_dict(other_hyper_parameters(whole))
    after, fresh = gp.posterior(rows), GPyTorchModel.posterior(gp, rows)
    assert not torch.allclose(before.mean, after.mean)
    assert gp.evidence != evidence
    torch.testing.assert_close(after.mean, fresh.mean, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(
        after.distribution.covariance_matrix, fresh.distribution.covariance_matrix, rtol=1e-5, atol=1e-7
    )


def test_a_loaded_state_changes_no_other_model() -> None:
    one, other = in_the_box(25), in_the_box(25)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    one.load_state_dict(other_hyper_parameters(one))
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())


def test_it_does_not_change_what_it_was_fitted_to() -> None:
    gp = in_the_box(25)
    for given in ({"inputs": gp.rows[:9], "targets": gp.data.targets[:9], "strict": False}, {"targets": gp.rows[:, 0]}):
        with pytest.raises(UnsupportedError, match="fit it anew with others by fit_gp, or add some by condition"):
            gp.set_train_data(**given)


@pytest.mark.parametrize("samples", [(), (5,)])
def test_a_process_with_further_measurements_can_be_fitted_and_loaded(samples: tuple[int, ...]) -> None:
    gp = in_the_box(25)
    new = torch.from_numpy(np.random.default_rng(5).random((2, 6)))
    more = gp.condition_on_observations(new.expand(*samples, 2, 6), hartmann(new).unsqueeze(-1).expand(*samples, 2, 1))
    rows = gp.rows[:4] + 0.05
    before = more.posterior(rows, observation_noise=True)
    more.train()
    more.eval()
    same = more.posterior(rows, observation_noise=True)
    torch.testing.assert_close(same.mean, before.mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(same.variance, before.variance, rtol=1e-4, atol=1e-5)
    more.load_state_dict(other_hyper_parameters(more))
    assert not torch.allclose(more.posterior(rows).mean, before.mean)


def test_a_process_with_further_measurements_says_nothing_without_them() -> None:
    gp = in_the_box(25)
    rows = gp.rows[:4] + 0.05
    gp.marginals(rows)
    more = gp.condition_on_observations(rows[:2], torch.zeros(2, 1).double())
    for asked in (more.marginals, more.joint, lambda at: more.cross(at, at), lambda _: more.evidence):
        with pytest.raises(UnsupportedError, match=r"has its posterior alone: ask posterior\(X\)"):
            asked(rows)


def test_acquisition_functions_of_botorch_take_a_batch_of_fantasies() -> None:
    gp, rng = in_the_box(25), np.random.default_rng(5)
    at = torch.from_numpy(rng.random((2, 6)))
    fantasy = gp.fantasize(at, SobolQMCNormalSampler(torch.Size([4]), seed=0))
    rows = torch.from_numpy(rng.random((5, 1, 1, 6)))
    for improvement in (LogExpectedImprovement(fantasy, best_f=0.0), qLogExpectedImprovement(fantasy, best_f=0.0)):
        found = improvement(rows)
        assert found.shape == (5, 4)
        assert bool(found.isfinite().all())
    more = gp.condition_on_observations(at.expand(3, 2, 6), torch.zeros(3, 2, 1).double())
    assert LogExpectedImprovement(more, best_f=0.0)(rows).shape == (5, 3)


@pytest.mark.filterwarnings("ignore:std")  # BoTorch's, of its starting points
def test_the_knowledge_gradient_of_a_set_of_rows_is_evaluated() -> None:
    gp = in_the_box(25)
    gradient = qKnowledgeGradient(gp, num_fantasies=4)
    bounds = torch.tensor([[0.0] * 6, [1.0] * 6]).double()
    rows = torch.from_numpy(np.random.default_rng(5).random((1, 2, 6)))
    options = {"maxiter": 3, "seed": 0}
    found = gradient.evaluate(rows, bounds=bounds, num_restarts=1, raw_samples=4, options=options)
    assert found.shape == (1,)
    assert bool(found.isfinite().all())


def test_botorch_cross_validates_it_in_the_unit_of_the_metric() -> None:
    gp = in_the_box(25)
    found = loo_cv(gp)
    mean, variance = gp.factor.leave_one_out()
    torch.testing.assert_close(found.observed_Y.flatten(), hartmann(gp.rows))
    torch.testing.assert_close(found.posterior.mean.flatten(), gp.shift + gp.scale * mean)
    torch.testing.assert_close(found.posterior.variance.flatten(), gp.scale**2 * variance)
    assert found.observed_Yvar is not None
    torch.testing.assert_close(found.observed_Yvar.flatten(), gp.scale**2 * gp.data.noise)
