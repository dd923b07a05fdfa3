from typing import Any

import numpy as np
import pytest
import torch
from gpytorch.mlls import ExactMarginalLogLikelihood

from campaigns.space import SpaceConfig
from surrogates.models.distances import distances
from surrogates.models.encoder import Encoder, MaterialTable
from surrogates.models.gp import GPPrior, MetricGP, MetricUnits, PoolPrior
from surrogates.models.hyperparameters import Data, _loss, _Packed, extend, factorise
from surrogates.models.kernel import covariance, derivatives, variance
from surrogates.models.kernel_spec import KernelSpec

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


def logs_of(shape: KernelSpec) -> torch.Tensor:
    return torch.linspace(-1.5, 0.5, len(shape.names), dtype=torch.float64)


@pytest.mark.parametrize("kind", SHAPES)
def test_the_derivatives_are_those_of_finite_differences(kind: str) -> None:
    encoder, rows, shape = setting(kind)
    parts = distances(encoder, rows, rows, shape.views)
    logs = logs_of(shape)
    near, far = torch.arange(len(rows)).repeat_interleave(len(rows)), torch.arange(len(rows)).repeat(len(rows))
    listed, slopes = derivatives(shape, logs, parts.listed(near, far))
    total = listed.reshape(len(rows), -1)
    assert torch.allclose(total, covariance(shape, logs, parts))
    assert torch.allclose(total.diagonal(), torch.full((len(rows),), variance(shape, logs)).double())
    for i in range(len(slopes)):
        step = torch.zeros_like(logs)
        step[i] = 1e-5
        above, below = (covariance(shape, logs + s, parts) for s in (step, -step))
        assert torch.allclose(slopes[i].reshape_as(total), (above - below) / 2e-5, atol=1e-6), shape.names[i]


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("prior", [None, PoolPrior("prior:v"), PoolPrior("prior:v", factor=True)])
def test_likelihood_and_its_derivatives_agree_with_gpytorch(kind: str, prior: PoolPrior | None) -> None:
    encoder, rows, shape = setting(kind)
    prior = prior if shape.views else None
    logs = logs_of(shape)
    terms = GPPrior(encoder, shape, logs, prior)
    targets = torch.from_numpy(np.random.default_rng(1).normal(size=len(rows)))
    noise = torch.full_like(targets, 0.04)
    data = Data(distances(encoder, rows, rows, shape.views), targets, noise, *terms.known(rows))
    noisier = data.noisier(shape.excess(logs))
    factor = factorise(covariance(shape, logs, data.parts), noisier)
    model = MetricGP(terms, rows, noisier, factor, MetricUnits()).model().train()
    theirs = ExactMarginalLogLikelihood(model.likelihood, model)(model(rows), targets)
    packed = _Packed.of(data)
    loss, slopes = _loss(shape, packed, logs)
    assert -loss / len(rows) == pytest.approx(float(theirs), rel=1e-6)
    for i in range(len(slopes)):
        step = torch.zeros_like(logs)
        step[i] = 1e-5
        change = (_loss(shape, packed, logs + step)[0] - _loss(shape, packed, logs - step)[0]) / 2e-5
        assert float(slopes[i]) == pytest.approx(change, rel=1e-4, abs=1e-6), shape.names[i]


def test_leaving_one_out_is_learning_from_the_others() -> None:
    encoder, rows, shape = setting("both")
    targets = torch.from_numpy(np.random.default_rng(1).normal(size=len(rows)))
    noise = torch.full_like(targets, 0.04)
    parts = distances(encoder, rows, rows, shape.views)
    whole = covariance(shape, logs_of(shape), parts)
    mean, spread = factorise(whole, Data(parts, targets, noise)).leave_one_out()
    others = torch.arange(len(rows)) != 3
    full = whole + 0.25 + torch.diag(noise)
    weights = torch.linalg.solve(full[others][:, others], full[others, 3])
    assert float(mean[3]) == pytest.approx(float(weights @ targets[others]), rel=1e-9)
    assert float(spread[3]) == pytest.approx(float(full[3, 3] - weights @ full[others, 3]), rel=1e-9)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("prior", [None, PoolPrior("prior:v"), PoolPrior("prior:v", factor=True)])
def test_extending_a_factor_is_factorising_anew(kind: str, prior: PoolPrior | None) -> None:
    encoder, rows, shape = setting(kind)
    logs, first = logs_of(shape), torch.arange(18)
    terms = GPPrior(encoder, shape, logs, prior if shape.views else None)
    targets = torch.from_numpy(np.random.default_rng(1).normal(size=len(rows)))
    data = Data(
        distances(encoder, rows, rows, shape.views), targets, torch.full_like(targets, 0.04), *terms.known(rows)
    )
    begun = factorise(covariance(shape, logs, data.parts.between(first, first)), data.only(first))
    rest = data.parts.between(torch.arange(18, len(rows)), torch.arange(len(rows)))
    grown, whole = (
        extend(begun, covariance(shape, logs, rest), data),
        factorise(covariance(shape, logs, data.parts), data),
    )
    for name in ("root", "inverse", "weights", "residual"):
        assert torch.allclose(getattr(grown, name), getattr(whole, name), atol=1e-9), name
    same = extend(whole, covariance(shape, logs, data.parts.between(first[:0], torch.arange(len(rows)))), data)
    assert torch.allclose(same.weights, whole.weights)
