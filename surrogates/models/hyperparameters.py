"""The hyper-parameters of a metric's Gaussian process: maximum a posteriori, by BoTorch's optimiser."""

from __future__ import annotations

import math

import torch
from botorch.optim.core import scipy_minimize
from torch import Tensor
from torch.nn import Parameter
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from surrogates.models.exact_inference import Data, log_likelihood
from surrogates.models.kernel import MetricKernel

_ROUNDS = 40  # steps of a fit at most; not tuned
_CLOSE = 1e-5  # relative gain of log likelihood at which fitting ends; not tuned
_BOUNDS = (-12.0, 8.0)  # of logarithms; not tuned: far outside of what priors expect
_NOISY = math.log(0.1)  # variance of noise, in standardised units, with which fitting begins a second time
_IMPOSSIBLE = 1e10


def fit(kernel: MetricKernel, data: Data, start: Tensor | None = None) -> Tensor:
    """Return the logarithms of the hyper-parameters that are most probable a posteriori.

    Args:
        kernel: which there are; it is fitted, too.
        data: what they are fitted to.
        start: where to begin; by default, where they are expected to be. A wary model also begins with much noise:
            what differs may be noise or structure, and between these two explanations lies a ridge.
    """
    mean, sd = kernel.train().spec.priors
    starts = [mean if start is None else start]
    if start is None and kernel.spec.wary:
        starts.append(torch.cat([mean[:-1], torch.tensor([_NOISY], dtype=torch.float64)]))
    noise = [] if kernel.spec.views else [Parameter(torch.zeros((), dtype=torch.float64))]
    parameters, parts, logs = [*kernel.parameters(), *noise], data.parts.split(), mean.clone()

    def loss() -> tuple[Tensor, list[Tensor]]:
        vector_to_parameters(logs, parameters)
        extra = noise[0].exp() if noise else torch.zeros(())
        try:
            value = -log_likelihood(kernel.at(parts), data, extra)
        except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # torch's stubs leave it out
            return torch.tensor(_IMPOSSIBLE), [torch.zeros_like(logs)]
        away = (logs - mean) / sd
        slopes = torch.autograd.grad(value, parameters)
        return value.detach() + 0.5 * away.square().sum(), [parameters_to_vector(slopes) + away / sd]

    found = []
    options = {"maxiter": _ROUNDS, "ftol": _CLOSE}
    for each in starts:
        result = scipy_minimize(loss, {"logs": logs}, {"logs": _BOUNDS}, x0=each.numpy(), options=options)
        found.append((float(result.fval), logs.clone()))
    kernel.eval()
    return min(found, key=lambda each: each[0])[1]
