"""The hyper-parameters of a metric's Gaussian process: maximum a posteriori, by BoTorch's optimiser."""

from __future__ import annotations

import math

import torch
from botorch.optim.core import scipy_minimize
from torch import Tensor

from surrogates.models.closed_form import PairCovariance
from surrogates.models.exact_inference import Data, factorise
from surrogates.models.kernel_spec import KernelSpec

_ROUNDS = 40  # steps of a fit at most; not tuned
_CLOSE = 1e-5  # relative gain of log likelihood at which fitting ends; not tuned
_BOUNDS = (-12.0, 8.0)  # of logarithms; not tuned: far outside of what priors expect
_NOISY = math.log(0.1)  # not tuned: variance of noise, in standardised units, with which fitting begins a second time
_IMPOSSIBLE = 1e10  # not tuned: loss where there is no Cholesky factor, above that of any other place


def fit(spec: KernelSpec, data: Data, start: Tensor | None = None) -> Tensor:
    """Return the logarithms of the hyper-parameters that are most probable a posteriori.

    Args:
        spec: which there are.
        data: what they are fitted to.
        start: where to begin; by default, where they are expected to be. A conservative model begins with much noise,
            too: what differs may be noise or structure, and between these two explanations lies a ridge.
    """
    mean, sd = spec.priors
    starts = [mean if start is None else start]
    if start is None and spec.conservative:
        starts.append(torch.cat([mean[:-1], torch.tensor([_NOISY], dtype=torch.float64)]))
    pairs, logs = PairCovariance.of(spec, data.parts), mean.clone()

    def loss() -> tuple[Tensor, list[Tensor]]:
        try:
            value, slopes = log_likelihood(pairs, data, logs)
        except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # torch's stubs leave it out
            return torch.tensor(_IMPOSSIBLE), [torch.zeros_like(logs)]
        away = (logs - mean) / sd
        return 0.5 * away.square().sum() - value, [away / sd - slopes]

    found = []
    options = {"maxiter": _ROUNDS, "ftol": _CLOSE}
    for each in starts:
        result = scipy_minimize(loss, {"logs": logs}, {"logs": _BOUNDS}, x0=each.numpy(), options=options)
        found.append((float(result.fval), logs.clone()))
    return min(found, key=lambda each: each[0])[1]


def log_likelihood(pairs: PairCovariance, data: Data, logs: Tensor) -> tuple[float, Tensor]:
    """Return the log marginal likelihood, and its derivative by each logarithm (Rasmussen & Williams 2006,
    equation 5.9).

    Raises:
        torch.linalg.LinAlgError: the covariance is not positive definite even with the noise.
    """
    excess = pairs.spec.excess(logs)
    covariance, by_logs = pairs.at(logs)
    factor = factorise(covariance, data.noisier(excess))
    weight = torch.outer(factor.weights, factor.weights).sub_(factor.inverse).mul_(0.5)
    noise = [] if pairs.spec.views else [excess * weight.diagonal().sum(dim=0, keepdim=True)]
    if data.amplitude is not None:
        weight = weight * torch.outer(data.amplitude, data.amplitude)
    return factor.log_likelihood, torch.cat([by_logs(weight), *noise])
