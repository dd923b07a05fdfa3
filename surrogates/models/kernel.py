"""The covariance of a metric between candidates, as a GPyTorch kernel.

    k = (sum over views of s M(l) + nugget) * (1 + interaction * P) + scale * P + constant

M is Matérn 5/2 on one view of the material, and P Matérn 5/2, or Gaussian where it is smooth, on the parameters, which
may be warped; the nugget is what no view sees of a material. What the model finds of a material so carries over its
conditions, and the reverse (Swersky, Snoek & Adams 2013, NeurIPS 26; Duvenaud 2014, PhD thesis, Cambridge, chapter 2).
Without a material, scale * P may be a sum of what each parameter does, and of what every two of them do together:

    scale * mean over parameters of M_i + pair scale * mean over pairs of M_i M_j

as in the analysis of variance, of the first two orders (Duvenaud, Nickisch & Rasmussen 2011, NeurIPS 24). What a level
does beside one other level is so expected of it beside all others, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import torch
from gpytorch.constraints import Positive
from gpytorch.kernels import Kernel
from gpytorch.priors import NormalPrior
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import Module, Parameter
from torch.nn.utils import parameters_to_vector

from surrogates.models.distances import Distances, distances
from surrogates.models.encoder import Encoder
from surrogates.models.kernel_spec import NOISE, SEVERAL, KernelSpec
from surrogates.models.means import SLOPE, PriorMean, prior_values

EDGE = 1e-6
"""Distance from the ends of a warped parameter at which logarithms are still finite; not tuned."""


class MetricKernel(Kernel):
    """The covariance of a metric between rows (``Encoder``), in standardised units.

    Its hyper-parameters are positive, their raw values are logarithms, and the priors are normal on these.

    Args:
        encoder: layout of rows.
        spec: which hyper-parameters there are.
        logs: their logarithms, in the order of ``spec.names`` but for the noise; by default, their prior means.
        prior: what the metric lies about, or is a share of.
    """

    def __init__(
        self, encoder: Encoder, spec: KernelSpec, logs: Tensor | None = None, prior: PriorMean | None = None
    ) -> None:
        super().__init__()
        self.encoder, self.spec, self.prior = encoder, spec, prior
        self.has_lengthscale = bool(spec.parameters)  # so that ``lengthscale`` is there as it is in GPyTorch's
        start = 0
        for name, normal in normal_priors(spec).items():
            if name != NOISE:
                values = normal.loc if logs is None else logs[start : start + normal.loc.numel()].view(normal.loc.shape)
                add_hyper_parameter(self, name, values, normal)
                start += normal.loc.numel()
        self.eval()

    @property
    def logs(self) -> Tensor:
        """The logarithms of the hyper-parameters, h, in the order of ``spec.names`` but for the noise."""
        return parameters_to_vector(self.parameters()).detach()

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        """Return the covariance, batch x n x m, of rows, batch x n x d, and others, batch x m x d."""
        return self.diagonal(x1) if diag else self.between(x1, x2)

    def between(self, rows: Tensor, others: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return the covariance, batch x n x m, of rows, batch x n x d, and others, batch x m x d."""
        found = self.at(distances(self.encoder, rows, others, self.spec.views, dtype)) + self.spec.constant
        if self.prior is None:
            return found
        (prior, amplitude), (prior_, amplitude_) = (prior_values(self.prior, self.encoder, x) for x in (rows, others))
        if prior is not None and prior_ is not None:
            found = found + (SLOPE[1] ** 2 * prior.unsqueeze(-1) * prior_.unsqueeze(-2)).to(dtype)
        if amplitude is not None and amplitude_ is not None:
            found = found * (amplitude.unsqueeze(-1) * amplitude_.unsqueeze(-2)).to(dtype)
        return found

    def diagonal(self, rows: Tensor) -> Tensor:
        """Return the prior variance, batch x n, of rows, batch x n x d."""
        found = (self.variance + self.spec.constant).expand(rows.shape[:-1])
        prior, amplitude = prior_values(self.prior, self.encoder, rows)
        if prior is not None:
            found = found + SLOPE[1] ** 2 * prior.square()
        return found if amplitude is None else found * amplitude.square()

    @property
    def variance(self) -> Tensor:
        """The covariance of a row with itself, but for constant and prior."""
        if not self.spec.views:
            process = self.value("outputscale")
            return process + self.value("pair_outputscale") if self.spec.effects else process
        across = self.value("view_outputscale").sum() + self.value("nugget")
        if not self.spec.parameters:
            return across
        return across * (1.0 + self.value("interaction")) + self.value("outputscale")

    def at(self, parts: Distances) -> Tensor:
        """Return the covariance, batch x n x m, at distances, but for constant and prior."""
        if self.spec.effects:
            mains, pairs = _mains_and_pairs(self._each(parts))
            return mains * self.value("outputscale") + pairs * self.value("pair_outputscale")
        along = self._along(parts) if self.spec.parameters else None
        if not self.spec.views and along is not None:
            return along * self.value("outputscale")
        across = parts.same * self.value("nugget")
        scales, lengths = self.value("view_outputscale"), self.value("view_lengthscale")
        for squared, scale, length in zip(parts.views, scales, lengths, strict=True):
            across = across + matern(squared, length, scale)
        if along is None:
            return across
        return across * (along * self.value("interaction") + 1.0) + along * self.value("outputscale")

    def value(self, name: str) -> Tensor:
        """Return a hyper-parameter by the name of its group, a number or k numbers; only in training with gradient."""
        raw: Tensor = getattr(self, f"raw_{name}")
        return (raw if self.training else raw.detach()).exp()

    def _along(self, parts: Distances) -> Tensor:
        """Return the correlation along the parameters, batch x n x m."""
        if self.spec.warped:
            parts = Distances((), self._warped(parts.left), self._warped(parts.right), parts.same)
        squared = parts.along(self.value("lengthscale")[0])
        return torch.exp(-0.5 * squared) if self.spec.smooth else matern(squared)

    def _each(self, parts: Distances) -> Iterator[Tensor]:
        """Yield the correlation along each parameter, batch x n x m."""
        lengths = self.value("lengthscale")[0]
        for columns in map(list, self.spec.apiece):
            yield matern(parts.along(lengths[columns], columns))

    def _warped(self, columns: Tensor) -> Tensor:
        """Return the columns of the parameters, batch x n x p, some of them warped."""
        found = columns.clone()
        chosen = columns[..., self.spec.warped]
        found[..., self.spec.warped] = kumaraswamy(chosen, self.value("low"), self.value("high"))
        return found


def kumaraswamy(columns: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return columns, ... x k, warped by their exponents, k and k.

    A parameter of whose range a part makes all the difference is stretched there, and pressed elsewhere: in [0, 1], it
    becomes the distribution function of Kumaraswamy (1980, J. Hydrol. 46, 79), with exponents that are fitted (Snoek,
    Swersky, Zemel & Adams 2014, ICML 31). Outside, where bounds were once wider, it stays as it is, which is why
    BoTorch's ``Warp`` is not used.
    """
    bent = 1.0 - (1.0 - columns.clamp(EDGE, 1.0 - EDGE) ** low) ** high
    return torch.where((columns > 0.0) & (columns < 1.0), bent, columns)


class _Shared:
    """What kernels share, as there are many: loading a state does not write into it, as each kernel states the same."""

    def _load_from_state_dict(self, *_: Any) -> None:
        """Leave all as it is."""


class _Logarithmic(_Shared, Positive):
    """The constraint of a hyper-parameter that is kept by its logarithm."""


class _SharedPrior(_Shared, NormalPrior):
    """A normal prior on logarithms."""


@lru_cache(maxsize=256)
def normal_priors(spec: KernelSpec) -> Mapping[str, NormalPrior]:
    """Return the priors on the logarithms of each group of hyper-parameters, which kernels share."""
    sizes = [len(labels) for labels in spec.groups.values()]
    shapes = [(1, -1) if name == "lengthscale" else (-1,) if name in SEVERAL else () for name in spec.groups]
    parts = zip(spec.groups, shapes, *(each.split(sizes) for each in spec.priors), strict=True)
    return {name: _SharedPrior(mean.reshape(shape), sd.reshape(shape)) for name, shape, mean, sd in parts}


_POSITIVE = _Logarithmic(torch.exp, torch.log)


def add_hyper_parameter(module: Any, name: str, logs: Tensor, prior: NormalPrior) -> None:
    """Register a positive hyper-parameter with a module, by its logarithms, which have this prior."""
    module.register_parameter(f"raw_{name}", Parameter(logs.detach().clone()))
    module.register_constraint(f"raw_{name}", _POSITIVE)
    module.register_prior(f"{name}_prior", prior, _Raw(name))


class _Raw:
    """Returns the logarithms of a hyper-parameter of a module; unlike a function in a function, it can be pickled."""

    def __init__(self, name: str) -> None:
        self.name = f"raw_{name}"

    def __call__(self, module: Module) -> Tensor:
        found: Tensor = getattr(module, self.name)
        return found


def _mains_and_pairs(each: Iterator[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the means over parameters and over pairs of the correlation along each; there are two or more."""
    first = next(each)
    total, squares, count = first.clone(), first.square(), 1
    for one in each:  # one at a time and in place, as they are large
        total.add_(one)
        squares.addcmul_(one, one)
        count += 1
    return total / count, total.square().sub_(squares).div_(count * (count - 1))


_ONE = torch.ones((), dtype=torch.float64)


def matern(squared: Tensor, length: Tensor = _ONE, scale: Tensor = _ONE) -> Tensor:
    """Return the Matérn 5/2 covariance at squared distances (Rasmussen & Williams 2006, equation 4.17).

    Args:
        squared: distances.
        length: over which it falls, a number in their unit.
        scale: variance, a number.
    """
    found: Tensor = _Matern.apply(squared, length, scale)
    return found


class _Matern(torch.autograd.Function):
    """The covariance, whose derivative is finite where the distance is zero, unlike that of its square root.

    Operations are in place where they may be: for a large pool, going over memory takes as long as the arithmetic.
    """

    @staticmethod
    def forward(ctx: Any, squared: Tensor, length: Tensor, scale: Tensor) -> Tensor:
        scaled = squared * (5.0 / length.square())
        root = scaled.sqrt()
        fading = torch.exp(-root)
        if any(ctx.needs_input_grad):
            slope = (root + 1.0).mul_(fading).mul_(-5.0 / 6.0)  # of the correlation, by the scaled distance over 5
        found = scaled.mul_(1.0 / 3.0).add_(root).add_(1.0).mul_(fading)
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(squared, length, scale, slope, found)
        return found * scale if scale is not _ONE else found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        squared, length, scale, slope, found = ctx.saved_tensors
        by_distance = (above * slope).mul_(scale / length.square())
        by_length = -2.0 / length * (by_distance * squared).sum() if ctx.needs_input_grad[1] else None
        by_scale = (above * found).sum() if ctx.needs_input_grad[2] else None
        return by_distance, by_length, by_scale
