from typing import Any

import numpy as np
import pytest
import torch
from botorch import fit_gpytorch_mll
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch.nn.utils import parameters_to_vector

from campaigns.spaces.space import SpaceConfig
from surrogates.models.closed_form import PairCovariance
from surrogates.models.distances import distances
from surrogates.models.encoder import Encoder, MaterialTable
from surrogates.models.exact_inference import Data, extend, factorise
from surrogates.models.fit import fit_gp
from surrogates.models.gp import MetricGP, MetricUnits
from surrogates.models.hyperparameters import log_likelihood
from surrogates.models.kernel import MetricKernel
from surrogates.models.kernel_spec import KernelSpec
from surrogates.models.means import PoolPrior, prior_values
from surrogates.models.observations import Observations
from surrogates.models.problem import FittedKernel, RegressionProblem

UNIT = {"kind": "float", "unit": "1", "low": 0, "high": 1}
SHAPES: dict[str, tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]]] = {
    "both": (("x",), ("one", "two"), {}),
    "materials": ((), ("one", "two"), {}),
    "parameters": (("x", "y"), (), {}),
    "gaussian": (("x", "y"), (), {"smooth": True}),
    "warped": (("x", "y"), (), {"warped": (1,)}),
    "effects": (("x", "y", "z", "u"), (), {"effects": True, "levels": ((1, 2),)}),
    "both, gaussian and warped": (("x", "y"), ("one", "two"), {"smooth": True, "warped": (0, 1)}),
}


def setting(kind: str, count: int = 25) -> tuple[Encoder, torch.Tensor, KernelSpec]:
    rng = np.random.default_rng(5)
    parameters, views, kernel = SHAPES[kind]
    pool = {"kind": "generator", "function": "a.b:c"} if views else None
    space = SpaceConfig.model_validate({"parameters": dict.fromkeys(parameters, UNIT), "pool": pool})
    table = None
    columns = [rng.random((count, len(parameters)))]
    if views:
        table = MaterialTable(
            tuple(map(str, range(40))),
            {name: rng.normal(size=(40, 3)) for name in views},
            {"prior:v": rng.normal(size=40) + 5},
        )
        columns.append(rng.integers(0, 40, (count, 1)).astype(float))
    rows = torch.from_numpy(np.hstack(columns).astype(float))
    return Encoder(space, table), rows, KernelSpec(views, len(parameters), **kernel)


def logs_of(spec: KernelSpec) -> torch.Tensor:
    return torch.linspace(-1.5, 0.5, len(spec.names), dtype=torch.float64)


def data_of(encoder: Encoder, rows: torch.Tensor, spec: KernelSpec, prior: PoolPrior | None = None) -> Data:
    targets = torch.from_numpy(np.random.default_rng(1).normal(size=len(rows)))
    known = prior_values(prior, encoder, rows)
    return Data(distances(encoder, rows, rows, spec.views), targets, torch.full_like(targets, 0.04), *known)


def with_logs(kernel: MetricKernel, logs: torch.Tensor) -> MetricKernel:
    return MetricKernel(kernel.encoder, kernel.spec, logs, kernel.prior)


@pytest.mark.parametrize("kind", SHAPES)
def test_the_derivatives_are_those_of_finite_differences(kind: str) -> None:
    encoder, rows, spec = setting(kind)
    logs, parts = logs_of(spec), distances(encoder, rows, rows, spec.views)
    kernel = MetricKernel(encoder, spec, logs).train()
    weight = torch.from_numpy(np.random.default_rng(2).normal(size=(len(rows), len(rows))))
    total = kernel.at(parts)
    closed, by_logs = PairCovariance.of(spec, parts).at(logs)
    torch.testing.assert_close(closed, total)
    assert torch.allclose(total.diagonal(), kernel.variance)
    slopes = parameters_to_vector(torch.autograd.grad((weight * total).sum(), [*kernel.parameters()]))
    assert torch.equal(kernel.logs, logs[: len(slopes)])
    torch.testing.assert_close(by_logs(0.5 * (weight + weight.mT)), slopes)
    for i in range(len(slopes)):
        step = torch.zeros_like(logs)
        step[i] = 1e-5
        above, below = (float((weight * with_logs(kernel, logs + s).at(parts)).sum()) for s in (step, -step))
        assert float(slopes[i]) == pytest.approx((above - below) / 2e-5, rel=1e-4, abs=1e-5), spec.names[i]


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("prior", [None, PoolPrior("prior:v"), PoolPrior("prior:v", factor=True)])
def test_likelihood_and_its_derivatives_agree_with_gpytorch(kind: str, prior: PoolPrior | None) -> None:
    encoder, rows, spec = setting(kind)
    prior = prior if spec.views else None
    logs, data = logs_of(spec), data_of(encoder, rows, spec, prior)
    fitted = FittedKernel(MetricKernel(encoder, spec, logs, prior), logs, data.noisier(spec.excess(logs)))
    model = MetricGP(fitted, rows, MetricUnits()).train()
    theirs = model.likelihood(model(rows)).log_prob(data.targets)
    assert fitted.factor.log_likelihood == pytest.approx(theirs.item(), rel=1e-6)
    ours, slopes = log_likelihood(PairCovariance.of(spec, data.parts), data, logs)
    assert ours == pytest.approx(theirs.item(), rel=1e-6)
    noise = [] if spec.views else [model.likelihood.second_noise_covar.raw_noise]
    same = torch.autograd.grad(theirs, [*model.covar_module.parameters(), *noise])
    torch.testing.assert_close(slopes, parameters_to_vector(same), rtol=1e-4, atol=1e-6)


def test_the_fit_is_the_one_that_botorch_finds_by_itself() -> None:
    rng = np.random.default_rng(4)
    encoder = Encoder(SpaceConfig.model_validate({"parameters": dict.fromkeys("xy", UNIT)}))
    rows = torch.from_numpy(rng.random((30, 2)))
    values = torch.sin(5 * rows[:, 0]) + rows[:, 1] + 0.1 * torch.from_numpy(rng.normal(size=30))
    seen = Observations(rows, values, torch.full((30,), 0.02).double())
    ours, theirs = (fit_gp(RegressionProblem(encoder, plain=True), seen) for _ in range(2))
    mll = ExactMarginalLogLikelihood(theirs.likelihood, theirs)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.fill_(-1.0)
    fit_gpytorch_mll(mll)
    before, after = (model.describe()["hyper_parameters"] for model in (ours, theirs))
    assert before == pytest.approx(after, rel=0.05)
    fresh = torch.from_numpy(rng.random((20, 2)))
    for one, other in zip(ours.marginals(fresh), theirs.marginals(fresh), strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=5e-3)


def test_leaving_one_out_is_learning_from_the_others() -> None:
    encoder, rows, spec = setting("both")
    data = data_of(encoder, rows, spec)
    whole = MetricKernel(encoder, spec, logs_of(spec)).at(data.parts)
    mean, spread = factorise(whole, data).leave_one_out()
    others = torch.arange(len(rows)) != 3
    full = whole + 0.25 + torch.diag(data.noise)
    weights = torch.linalg.solve(full[others][:, others], full[others, 3])
    assert float(mean[3]) == pytest.approx(float(weights @ data.targets[others]), rel=1e-9)
    assert float(spread[3]) == pytest.approx(float(full[3, 3] - weights @ full[others, 3]), rel=1e-9)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("prior", [None, PoolPrior("prior:v"), PoolPrior("prior:v", factor=True)])
def test_extending_a_factor_is_factorising_anew(kind: str, prior: PoolPrior | None) -> None:
    encoder, rows, spec = setting(kind)
    kernel, first, everything = MetricKernel(encoder, spec, logs_of(spec)), torch.arange(18), torch.arange(len(rows))
    data = data_of(encoder, rows, spec, prior if spec.views else None)
    begun = factorise(kernel.at(data.parts.between(first, first)), data.only(first))
    rest = data.parts.between(everything[18:], everything)
    grown, whole = extend(begun, kernel.at(rest), data), factorise(kernel.at(data.parts), data)
    for name in ("root", "inverse", "weights", "residual"):
        assert torch.allclose(getattr(grown, name), getattr(whole, name), atol=1e-9), name
    same = extend(whole, kernel.at(data.parts.between(first[:0], everything)), data)
    assert torch.allclose(same.weights, whole.weights)
