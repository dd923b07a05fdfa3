"""The covariance of a metric between candidates, its hyper-parameters, and their derivatives.

    k = (sum over views of s M(l) + nugget) * (1 + product * P) + process * P

M is Matérn 5/2 on one view of the material, and P Matérn 5/2, or Gaussian where it is smooth, on the parameters, which
may be warped; the nugget is what no view sees of a material. What is learnt of a material so carries over its
conditions, and the reverse (Swersky, Snoek & Adams 2013, NeurIPS 26; Duvenaud 2014, PhD thesis, Cambridge, chapter 2).
Without a material, process * P may be a sum of effects instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from surrogates.models.additive_kernel import by_each, mains_and_pairs
from surrogates.models.distances import Distances, Pairs
from surrogates.models.input_warping import HIGH, LOW, slopes, warped
from surrogates.models.kernel_spec import KernelSpec
from surrogates.models.matern import decay, matern, matern_slope


def covariance(shape: KernelSpec, logs: Tensor, parts: Distances) -> Tensor:
    """Return the covariance, batch x n x m, at the logarithms of the hyper-parameters."""
    value = dict(zip(shape.names, logs.exp().tolist(), strict=True))
    if shape.effects:
        mains, together = mains_and_pairs(_each(shape, value, parts))
        return mains.mul_(value["process"]).add_(together, alpha=value["pairs"])
    along = _along(shape, value, parts) if shape.parameters else None
    if not shape.views and along is not None:
        return along * value["process"]
    across = parts.same * value["nugget"]
    for name, squared in zip(shape.views, parts.views, strict=True):
        across.add_(matern(squared / value[f"length.{name}"] ** 2), alpha=value[f"scale.{name}"])
    if along is None:
        return across
    return across * (along * value["product"] + 1.0) + along * value["process"]


def variance(shape: KernelSpec, logs: Tensor) -> float:
    """Return the covariance of a candidate with itself."""
    value = dict(zip(shape.names, logs.exp().tolist(), strict=True))
    if not shape.views:
        return value["process"] + value.get("pairs", 0.0)
    across = value["nugget"] + sum(value[f"scale.{name}"] for name in shape.views)
    return across * (1.0 + value.get("product", 0.0)) + value.get("process", 0.0)


def derivatives(shape: KernelSpec, logs: Tensor, pairs: Pairs) -> tuple[Tensor, list[Tensor]]:
    """Return the covariance of m pairs, m, and its derivative by each logarithm but that of the noise."""
    value = dict(zip(shape.names, logs.exp().tolist(), strict=True))
    if shape.effects:
        return _effects(shape, value, pairs)
    if not shape.views:
        process = _process(shape, value, pairs)
        total = process.along * value["process"]
        lengths, warps = ([s * value["process"] for s in part] for part in (process.lengths, process.warps))
        return total, [*lengths, total, *warps]
    found: list[Tensor] = []
    across = pairs.same * value["nugget"]
    nugget = across.clone()
    for name, squared in zip(shape.views, pairs.views, strict=True):
        scaled, scale = squared / value[f"length.{name}"] ** 2, value[f"scale.{name}"]
        plain, slope = matern_slope(scaled)
        found += [plain.mul_(scale), slope.mul_(scale)]
        across += plain
    if not shape.parameters:
        return across, [*found, nugget]
    process = _process(shape, value, pairs)
    factor = process.along * value["product"] + 1.0
    alone, product = process.along * value["process"], across * process.along * value["product"]
    weight = across * value["product"] + value["process"]
    lengths, warps = ([s * weight for s in part] for part in (process.lengths, process.warps))
    return across * factor + alone, [*(f * factor for f in found), *lengths, alone, *warps, product, nugget * factor]


def _along(shape: KernelSpec, value: dict[str, float], parts: Distances) -> Tensor:
    """Return the correlation along the parameters, batch x n x m."""
    lengths = torch.tensor([value[f"length.{i}"] for i in range(shape.parameters)], dtype=torch.float64)
    if shape.warped:
        parts = replace(parts, left=_warped(shape, value, parts.left), right=_warped(shape, value, parts.right))
    scaled = parts.along(lengths)
    return torch.exp(-0.5 * scaled) if shape.smooth else matern(scaled)


def _each(shape: KernelSpec, value: dict[str, float], parts: Distances) -> Iterator[Tensor]:
    """Yield the correlation along each parameter, batch x n x m."""
    for columns in shape.apiece:
        alone = replace(parts, left=parts.left[..., columns], right=parts.right[..., columns])
        lengths = torch.tensor([value[f"length.{column}"] for column in columns], dtype=torch.float64)
        yield matern(alone.along(lengths))


def _effects(shape: KernelSpec, value: dict[str, float], pairs: Pairs) -> tuple[Tensor, list[Tensor]]:
    """Return the covariance of m pairs, m, of effects, and its derivative by each logarithm but that of the noise."""
    squares = [p / value[f"length.{i}"] ** 2 for i, p in enumerate(pairs.parameters)]
    decays = [decay(torch.stack([squares[c] for c in columns]).sum(dim=0)) for columns in shape.apiece]
    each = [found for found, _ in decays]
    mains, together = mains_and_pairs(each)
    by = by_each(each, mains, value["process"], value["pairs"])
    lengths = [torch.empty(0)] * shape.parameters
    for columns, (_, common), weight in zip(shape.apiece, decays, by, strict=True):
        for column in columns:
            lengths[column] = weight * common * squares[column]
    mains, together = mains.mul_(value["process"]), together.mul_(value["pairs"])
    return mains + together, [*lengths, mains, together]


def _warped(shape: KernelSpec, value: dict[str, float], columns: Tensor) -> Tensor:
    """Return the columns of the parameters, batch x n x p, some of them warped."""
    found = columns.clone()
    low, high = _exponents(shape, value)
    chosen = list(shape.warped)
    found[..., chosen] = warped(columns[..., chosen], low, high)
    return found


def _exponents(shape: KernelSpec, value: dict[str, float]) -> tuple[Tensor, Tensor]:
    low, high = (torch.tensor([value[f"{end}.{i}"] for i in shape.warped], dtype=torch.float64) for end in (LOW, HIGH))
    return low, high


@dataclass(frozen=True)
class _Process:
    """The correlation along the parameters of m pairs, m, and its derivatives.

    Attributes:
        lengths: by the logarithm of each length scale.
        warps: by the logarithms of both exponents of each warped column.
    """

    along: Tensor
    lengths: list[Tensor]
    warps: list[Tensor]


def _process(shape: KernelSpec, value: dict[str, float], pairs: Pairs) -> _Process:
    squares, bends = list(pairs.parameters), []
    low, high = _exponents(shape, value)
    for place, column in enumerate(shape.warped):
        ends = [(side[:, column], low[place], high[place]) for side in (pairs.left, pairs.right)]
        apart = pairs.apart(*(warped(*end) for end in ends))
        squares[column] = apart.square()
        by_end = (pairs.apart(left, right) for left, right in zip(*(slopes(*end) for end in ends), strict=True))
        bends += [apart * by * (-1.0 / value[f"length.{column}"] ** 2) for by in by_end]
    each = [p / value[f"length.{i}"] ** 2 for i, p in enumerate(squares)]
    along, common = decay(torch.stack(each).sum(dim=0), shape.smooth)
    return _Process(along, [common * part for part in each], [common * bend for bend in bends])
