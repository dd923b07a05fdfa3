"""Every model of a metric is a BoTorch model."""

import pickle
from functools import cache

import numpy as np
import pytest
import torch
from botorch.acquisition import qLogNoisyExpectedImprovement
from botorch.acquisition.objective import ScalarizedPosteriorTransform
from botorch.exceptions.errors import UnsupportedError
from botorch.models.model import Model, ModelList
from torch import Tensor

from campaigns.spaces.space import SpaceConfig
from surrogates.models.base import Fantasized, MetricModel, shared_rows
from surrogates.models.encoder import Encoder, MaterialTable
from surrogates.models.ensemble import Ensemble
from surrogates.models.extra_trees import fit_extra_trees
from surrogates.models.fit import fit_gp
from surrogates.models.means import PoolPrior
from surrogates.models.multi_fidelity import AutoregressiveModel
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem
from surrogates.models.transfer import SourceModel, fit_with_sources

UNIT = {"kind": "float", "unit": "1", "low": 0, "high": 1}
BOX = Encoder(SpaceConfig.model_validate({"parameters": dict.fromkeys("xyz", UNIT)}))
POOL = SpaceConfig.model_validate(
    {"parameters": {"x": UNIT, "y": UNIT}, "pool": {"kind": "generator", "function": "a.b:c"}}
)


def seen(count: int, seed: int = 0, encoder: Encoder = BOX) -> Observations:
    rng = np.random.default_rng(seed)
    rows = torch.from_numpy(rng.random((count, 3)))
    if encoder.materials is not None:
        rows[:, 2] = torch.from_numpy(rng.integers(0, 50, count))
    values = torch.sin(6 * rows[:, 0]) + rows[:, 1] ** 2 + (0 if encoder is BOX else encoder.number("prior:v", rows))
    return Observations(
        rows, values + 0.05 * torch.from_numpy(rng.normal(size=count)), torch.full((count,), 0.05).double()
    )


def pool() -> Encoder:
    rng = np.random.default_rng(3)
    view = rng.normal(size=(50, 4)) / np.sqrt(8)
    table = MaterialTable(tuple(map(str, range(50))), {"one": view, "two": view[:, :1]}, {"prior:v": view[:, 0] + 4.0})
    return Encoder(POOL, table)


def autoregressive() -> MetricModel:
    low = fit_gp(RegressionProblem(BOX), seen(40, 1))
    source = SourceModel("cheap", low)
    high = fit_with_sources(RegressionProblem(BOX), (source,), seen(12))
    return AutoregressiveModel("cheap", high, low, 0.8)


@cache
def model(kind: str) -> MetricModel:
    box, several = RegressionProblem(BOX), pool()
    match kind:
        case "box":
            return fit_gp(box, seen(25))
        case "effects":
            return fit_gp(RegressionProblem(BOX, effects=True, plain=True, inflation=1.5), seen(25))
        case "pool":
            return fit_gp(RegressionProblem(several), seen(25, encoder=several))
        case "pool with a prior":
            return fit_gp(RegressionProblem(several, PoolPrior("prior:v")), seen(25, encoder=several))
        case "share of a prior":
            return fit_gp(RegressionProblem(several, PoolPrior("prior:v", factor=True)), seen(25, encoder=several))
        case "floor":
            return fit_gp(RegressionProblem(BOX, floor=0.3), seen(25))
        case "trees":
            return fit_extra_trees(seen(25), 3)
        case "average":
            return Ensemble({"gp": fit_gp(box, seen(25)), "trees": fit_extra_trees(seen(25), 3)}, {})
        case "fantasized":
            return Fantasized(fit_gp(box, seen(25)), seen(3, 8).rows)
        case _:
            return autoregressive()


KINDS = (
    *("box", "effects", "pool", "pool with a prior", "share of a prior", "floor", "trees", "average", "fantasized"),
    "autoregressive",
)
SMOOTH = tuple(kind for kind in KINDS if kind not in ("trees", "average"))


def rows_for(kind: str, *shape: int) -> Tensor:
    rng = np.random.default_rng(11)
    rows = torch.from_numpy(rng.random((*shape, 3)))
    if kind.startswith(("pool", "share")):
        rows[..., 2] = torch.from_numpy(rng.integers(0, 50, shape))
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_posterior_has_the_shapes_that_botorch_asks_for(kind: str) -> None:
    found = model(kind)
    assert isinstance(found, Model)
    assert found.num_outputs == 1
    assert found.batch_shape == torch.Size()
    for shape in ((4,), (5, 1), (5, 4), (2, 5, 3), (1, 1)):
        posterior = found.posterior(rows_for(kind, *shape))
        assert posterior.mean.shape == posterior.variance.shape == (*shape, 1)
        assert posterior.rsample(torch.Size([6])).shape == (6, *shape, 1)
        assert bool((posterior.variance >= 0).all())
        noisy = found.posterior(rows_for(kind, *shape), observation_noise=True)
        assert bool((noisy.variance >= posterior.variance).all())
        assert torch.equal(noisy.mean, posterior.mean)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_rows_of_a_batch_share_changes_nothing_but_the_time(kind: str) -> None:
    found, rows = model(kind), rows_for(kind, 6, 5)
    rows[:, :3] = rows[0, :3]
    for own in (rows, rows[:, :4]):
        together = found.posterior(own).distribution.covariance_matrix
        for each, alone in zip(own, together, strict=True):
            mean, covariance = found.joint(each)
            torch.testing.assert_close(alone, covariance, rtol=1e-6, atol=1e-8)
            torch.testing.assert_close(found.posterior(each).mean.squeeze(-1), mean)
    torch.testing.assert_close(found.posterior(rows).mean[3].squeeze(-1), found.joint(rows[3])[0])


def test_a_baseline_is_found_where_botorch_puts_it() -> None:
    asked: list[int] = []

    class Watched(Fantasized):
        def moments(self, rows: Tensor, constant: int = 0) -> tuple[Tensor, Tensor]:
            asked.append(constant)
            return super().moments(rows, constant)

    watched = Watched(model("box"), rows_for("box", 1))
    improvement = qLogNoisyExpectedImprovement(
        watched, X_baseline=rows_for("box", 7), prune_baseline=False, cache_root=False
    )
    with torch.no_grad():
        improvement(1.0 - rows_for("box", 5, 2))
    assert asked[-1] == 7
    for shape, count in {(4,): 0, (4, 3): 0, (1, 3): 2, (0, 3): 0, (3, 0): 0, (2, 1): 0}.items():
        assert shared_rows(rows_for("box", *shape)) == count
    rows = rows_for("box", 3, 4)
    rows[:, 1] = rows[0, 1]
    assert shared_rows(rows) == 0  # what comes after a row that differs is no baseline


def test_rows_that_a_batch_shares_have_a_gradient_where_one_is_asked_for() -> None:
    found, rows = model("box"), rows_for("box", 2, 3)
    rows[:, :2] = rows[0, :2]
    whole, alone = (rows.clone().requires_grad_() for _ in range(2))
    found.posterior(whole).mean.sum().backward()
    for each in alone:
        found.joint(each)[0].sum().backward()
    assert whole.grad is not None
    assert bool(whole.grad[:, :2].any())
    torch.testing.assert_close(whole.grad, alone.grad)


def test_there_is_no_gradient_along_a_baseline() -> None:
    rows = rows_for("box", 2, 3).requires_grad_()
    mean, covariance = model("box").moments(rows, 2)
    (mean.sum() + covariance.sum()).backward()
    assert rows.grad is not None
    assert not bool(rows.grad[:, :2].any())
    assert bool(rows.grad[:, 2:].any())


@pytest.mark.parametrize("kind", KINDS)
def test_rows_one_by_one_are_what_they_are_together(kind: str) -> None:
    found, rows = model(kind), rows_for(kind, 9)
    (mean, sd), (same, covariance) = found.marginals(rows), found.joint(rows)
    torch.testing.assert_close(mean, same)
    torch.testing.assert_close(sd.square(), covariance.diagonal(), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(found.cross(rows, rows[:2]).double()[2:], covariance[2:, :2], rtol=1e-6, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SMOOTH)
@pytest.mark.parametrize("shape", [(3, 1), (2, 3)])
def test_the_gradients_are_those_of_finite_differences(kind: str, shape: tuple[int, ...]) -> None:
    found, rows = model(kind), rows_for(kind, *shape)

    def upper(at: Tensor) -> Tensor:
        posterior = found.posterior(at)
        return (posterior.mean + posterior.distribution.covariance_matrix.sum(dim=-1, keepdim=True).abs().sqrt()).sum()

    asked = rows.clone().requires_grad_()
    upper(asked).backward()
    assert asked.grad is not None
    columns = 2 if kind.startswith(("pool", "share")) else 3
    for place in np.ndindex(*shape, columns):
        step = torch.zeros_like(rows)
        step[place] = 1e-5
        slope = float(upper(rows + step) - upper(rows - step)) / 2e-5
        assert float(asked.grad[place]) == pytest.approx(slope, rel=1e-4, abs=1e-5)
    assert columns == 3 or not bool(asked.grad[..., 2].any())


@pytest.mark.parametrize("kind", SMOOTH)
def test_gradients_are_finite_at_measured_rows(kind: str) -> None:
    rows = rows_for(kind, 2, 2)
    rows[0, 1] = rows[0, 0]
    rows[1, 0] = seen(25, encoder=pool() if kind.startswith(("pool", "share")) else BOX).rows[3]
    asked = rows.requires_grad_()
    posterior = model(kind).posterior(asked)
    (posterior.mean.sum() + posterior.variance.sum()).backward()
    assert asked.grad is not None
    assert bool(asked.grad.isfinite().all())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_there_is_one_output(kind: str) -> None:
    found, rows = model(kind), rows_for(kind, 4)
    assert found.subset_output([0]) is found
    with pytest.raises(UnsupportedError, match="got outputs \\[1\\]"):
        found.subset_output([1])
    half = ScalarizedPosteriorTransform(torch.tensor([0.5], dtype=torch.float64))
    plain, transformed = found.posterior(rows), found.posterior(rows, posterior_transform=half)
    torch.testing.assert_close(transformed.mean, 0.5 * plain.mean)
    torch.testing.assert_close(transformed.variance, 0.25 * plain.variance)
    both = ModelList(found, model("box")).posterior(rows_for("box", 4))
    assert both.mean.shape == (4, 2)


@pytest.mark.parametrize("kind", ["trees", "average", "fantasized", "autoregressive"])
def test_what_cannot_learn_from_single_observations_says_what_to_do(kind: str) -> None:
    with pytest.raises(UnsupportedError, match="fit it anew with them, or wrap it in Fantasized"):
        model(kind).condition_on_observations(rows_for(kind, 2), torch.zeros(2, 1).double())


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_can_be_stored(kind: str) -> None:
    found, rows = model(kind), rows_for(kind, 5)
    again = pickle.loads(pickle.dumps(found))
    assert torch.equal(again.posterior(rows).mean, found.posterior(rows).mean)
    assert again.describe() == found.describe()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [6, 600])
def test_rows_that_were_changed_in_place_are_other_rows(kind: str, count: int) -> None:
    found, rows = model(kind), rows_for(kind, count, 1)
    found.posterior(rows)
    rows[..., :2] = 1.0 - rows[..., :2]
    again, expected = found.posterior(rows), model(kind).posterior(rows.clone())
    assert torch.equal(again.mean, expected.mean)
    assert torch.equal(again.variance, expected.variance)


def test_scores_of_a_pool_in_another_order_are_those_of_the_rows_as_they_are() -> None:
    found, rows = model("pool"), rows_for("pool", 50)
    rows[:, :2], rows[:, 2] = 0.5, torch.arange(50)
    found.marginals(rows)
    turned = rows.flip(0)
    found.marginals(turned)
    turned[:, 0] = 0.9
    torch.testing.assert_close(found.marginals(turned), model("pool").marginals(turned.clone()))


def test_what_is_pending_is_what_it_was_when_the_model_was_made() -> None:
    pending, rows = rows_for("box", 3), rows_for("box", 5)
    found, expected = (Fantasized(model("box"), each) for each in (pending, pending.clone()))
    found.marginals(rows)
    pending += 0.1
    assert torch.equal(found.marginals(rows)[1], expected.marginals(rows)[1])
