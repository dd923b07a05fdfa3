"""Selection of views, prior mean and kernel by the density of each measurement given the others (leave-one-out).

Of several ways, the one that is expected beforehand holds unless another is better by more than chance may do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch

from surrogates.models.exact_inference import Data
from surrogates.models.kernel import MetricKernel
from surrogates.models.kernel_spec import KernelSpec
from surrogates.models.means import SLOPE, PriorMean
from surrogates.models.problem import FittedKernel

MIXTURE, WITHOUT_PRIOR = "mixture", "without prior"
"""Of the views of a material: all of them, and these without what is known beforehand."""
MATERN, GAUSSIAN, WARPED = "matern", "gaussian", "warped"
"""Kernels of the parameters."""
FEWEST = 8
"""Measurements from which on anything but the default is considered; not tuned."""
_MARGIN = 0.02  # not tuned: nats per measurement, and
_EVIDENCE = 3.0  # not tuned: nats in all by which one model must beat another; strong evidence to Kass & Raftery (1995)
_EARNED = 2.0  # nats that each exponent of a warp must add: docs/benchmarks.md, "On tables of real experiments"
_LENGTHS = (0.4, 1.0)  # not tuned: length scales that are tried of a single view
_SINGLE_NUGGET = 0.05  # not tuned: its nugget


@dataclass(frozen=True)
class Selection:
    """Which way to see the measurements explains them.

    Attributes:
        name: of this way.
        spec: the views that are used, and the kernel of the parameters.
        prior: the prior that is used, or None.
        evidence: way to see the measurements to their mean log density by each other.
    """

    name: str
    spec: KernelSpec
    prior: PriorMean | None
    evidence: Mapping[str, float]


def select_kernel(
    matern: FittedKernel, kernels: Mapping[str, KernelSpec], fitted: Callable[[KernelSpec], FittedKernel]
) -> Selection:
    """Return the kernel of the parameters that explains the measurements clearly better, or the Matérn one.

    Materials and kernels are not looked for together: with a pool, it is the materials that are many.

    Args:
        matern: the measurements as that kernel sees them.
        kernels: others, by name.
        fitted: returns how another kernel sees them.
    """
    count, seen = len(matern.data.targets), {MATERN: matern}
    if count >= FEWEST:
        seen |= {name: fitted(spec) for name, spec in kernels.items()}
    evidence = {name: each.factor.evidence for name, each in seen.items()}
    further = {name: len(each.logs) - len(matern.logs) for name, each in seen.items()}
    worth = {name: evidence[name] - _EARNED * further[name] / count for name in seen}
    best = max(worth, key=lambda name: worth[name])
    name = best if clearly_better(worth[best], worth[MATERN], count) else MATERN
    return Selection(name, seen[name].spec, matern.prior, evidence)


def kernels_beside(matern: KernelSpec, numeric: tuple[int, ...]) -> dict[str, KernelSpec]:
    """Return the kernels beside the Matérn one; none is Gaussian for a conservative process.

    Args:
        matern: the spec with that kernel.
        numeric: columns of the parameters that hold numbers, which may be warped.
    """
    gaussian = {} if matern.conservative else {GAUSSIAN: replace(matern, smooth=True)}
    return gaussian | ({WARPED: replace(matern, warped=numeric)} if numeric else {})


def _rivals(mixture: FittedKernel) -> Iterator[tuple[str, FittedKernel]]:
    """Yield other ways to see the same observations, not yet fitted."""
    if mixture.prior is not None and not mixture.prior.factor:
        kernel = MetricKernel(mixture.kernel.encoder, mixture.spec, mixture.logs)
        yield WITHOUT_PRIOR, FittedKernel(kernel, mixture.logs, replace(mixture.data, prior=None))
    views = mixture.spec.views
    if len(views) < 2:
        return
    for view, squared in zip(views, mixture.data.parts.views, strict=True):
        data = replace(mixture.data, parts=replace(mixture.data.parts, views=(squared,)))
        tried = [_lone(replace(mixture.spec, views=(view,)), mixture, length, data) for length in _LENGTHS]
        yield view, max(tried, key=lambda each: each.factor.evidence)


def _lone(spec: KernelSpec, mixture: FittedKernel, length: float, data: Data) -> FittedKernel:
    """Return a view alone: its own hyper-parameters at a start, those of the parameters from the mixture."""
    values = dict(zip(mixture.spec.names, mixture.logs.exp().tolist(), strict=True))
    values |= {f"scale.{spec.views[0]}": 1.0, f"length.{spec.views[0]}": length, "nugget": _SINGLE_NUGGET}
    logs = torch.tensor([values[name] for name in spec.names], dtype=torch.float64).log()
    return FittedKernel(MetricKernel(mixture.kernel.encoder, spec, logs, mixture.prior), logs, data)


def select_views(mixture: FittedKernel) -> Selection:
    """Return the mixture of views, or what explains the measurements clearly better."""
    chosen, views, prior, count = MIXTURE, mixture.spec.views, mixture.prior, len(mixture.data.targets)
    evidence = {MIXTURE: mixture.factor.evidence}
    if count < FEWEST:
        return Selection(chosen, mixture.spec, prior, evidence)
    evidence |= {name: rival.factor.evidence for name, rival in _rivals(mixture)}
    if WITHOUT_PRIOR in evidence:
        slope, sd = slope_of(mixture)
        useless = slope < sd or clearly_better(evidence[WITHOUT_PRIOR], evidence[MIXTURE], count)
        prior = None if useless else prior
    single = max(((value, name) for name, value in evidence.items() if name in views), default=None)
    if single is not None and clearly_better(single[0], evidence[MIXTURE], count):
        chosen = single[1]
        views = (chosen,)
    return Selection(chosen, replace(mixture.spec, views=views), prior, evidence)


def clearly_better(evidence: float, rival: float, count: int) -> bool:
    """Return whether one way to see ``count`` measurements explains them so much better that it is no chance."""
    return evidence > rival + _MARGIN + _EVIDENCE / count


def slope_of(fitted: FittedKernel) -> tuple[float, float]:
    """Return mean and standard deviation of the prior's slope after the data (ibid., equation 2.42)."""
    prior = fitted.data.prior
    if prior is None:
        return 0.0, 0.0
    factor, spread = fitted.factor, SLOPE[1] ** 2
    explained = float(prior @ factor.inverse @ prior)
    return SLOPE[0] + spread * float(prior @ factor.weights), max(spread - spread**2 * explained, 0.0) ** 0.5
