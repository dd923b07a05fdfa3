"""The covariance of a metric between candidates, its hyper-parameters, and their derivatives.

    k = (sum over views of s M(l) + nugget) * (1 + product * P) + process * P

M is Matérn 5/2 on one view of the material, and P Matérn 5/2, or Gaussian where it is smooth, on the parameters, which
may be warped; the nugget is what no view sees of a material. What is learnt of a material so carries over its
conditions, and the reverse (Swersky, Snoek & Adams 2013, NeurIPS 26; Duvenaud 2014, PhD thesis, Cambridge, chapter 2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from surrogates.posterior.distances import Distances, Pairs
from surrogates.posterior.warping import HIGH, LOW, slopes, warped

OFFSET = 0.25
"""Prior variance of the constant, in standardised units (Rasmussen & Williams 2006, section 2.7)."""
_FREE = 4.0  # the same to a wary model
_ROOT5 = math.sqrt(5.0)
_SHORTER = 2.0  # logarithm by which parameters that make cliffs act over shorter distances than Hvarfner et al. say
_MODE = 3.0  # the same from the median of their belief to its mode
_ALONE = math.log(0.6)  # of levels to a wary model: their correlation is then a tenth
_LEVELS = 0.5 * math.log(12.0)  # two levels are sqrt(2) apart, two random numbers sqrt(1/6), in the mean square


@dataclass(frozen=True)
class Shape:
    """Which hyper-parameters there are; all of them are positive, and are handled as logarithms.

    Attributes:
        views: names of the views of the material; empty without a pool.
        parameters: number of columns of the parameters.
        levels: columns of each categorical.
        abrupt: whether a part of a parameter's range is expected to make all the difference, another for each material.
        wary: whether what lies between measurements is expected to be as unknown as it may be.
        smooth: whether all derivatives by the parameters exist: P is Gaussian.
        warped: columns of the parameters that are warped.
    """

    views: tuple[str, ...]
    parameters: int
    levels: tuple[tuple[int, ...], ...] = ()
    abrupt: bool = False
    wary: bool = False
    smooth: bool = False
    warped: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the hyper-parameters in the order of the vector."""
        material = [f"{part}.{name}" for name in self.views for part in ("scale", "length")]
        process = [f"length.{i}" for i in range(self.parameters)] + ["process"] * bool(self.parameters)
        process += [f"{end}.{i}" for i in self.warped for end in (LOW, HIGH)]
        both = ["product"] * bool(self.parameters and self.views)
        return (*material, *process, *both, "nugget" if self.views else "noise")

    def excess(self, logs: Tensor) -> float:
        """Return the variance of the noise that measurements do not tell of; with materials, the nugget covers it."""
        return 0.0 if self.views else float(logs[-1].exp())

    @property
    def constant(self) -> float:
        """The prior variance of the constant, in standardised units.

        A campaign measures good candidates most. To a wary model, their mean says nothing of what was not measured.
        """
        return _FREE if self.wary else OFFSET

    def beliefs(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each logarithm before any data.

        The first view is expected to say as much as all others together. Length scales of views are of the order of the
        distance between two materials; those of parameters grow with their number (Hvarfner, Hellsten & Nardi 2024,
        ICML 41), in which a categorical counts once, and with how far apart two of their values are. Those of a wary
        model are near the mode of that belief, one level tells hardly anything of another, and the variance is that of
        the measurements: a model that smooths over what lies between them, or takes what one level showed for what
        another will, stays at the first good one (as in BayBE; Fitzner et al. 2025, Digital Discovery 4, 1991).
        """
        mean, sd = [], []
        for name in self.names:
            match name.split("."):
                case ["scale", view]:
                    belief = (math.log(self._share(view)), 1.5)
                case ["length", str(which)]:
                    belief = self._reach(int(which)) if which.isdigit() else (0.0, 0.7)
                case ["process"] if self.wary:
                    belief = (0.0, 0.1)
                case ["nugget"]:
                    belief = (math.log(0.01), 2.0)
                case ["noise"]:
                    belief = (math.log(0.001), 2.0)
                case ["low" | "high", _]:
                    belief = (0.0, 0.5)
                case ["product"] if self.abrupt:
                    belief = (math.log(2.0), 1.0)
                case _:
                    belief = (math.log(0.5), 1.0)
            mean.append(belief[0])
            sd.append(belief[1])
        return torch.tensor(mean, dtype=torch.float64), torch.tensor(sd, dtype=torch.float64)

    def _reach(self, column: int) -> tuple[float, float]:
        """Return what is believed of the logarithm of a column's length scale: mean and standard deviation."""
        count = self.parameters - sum(len(columns) - 1 for columns in self.levels)
        median = math.sqrt(2.0) + 0.5 * math.log(count)
        level = any(column in columns for columns in self.levels)
        if self.wary:
            return _ALONE if level else median - _MODE, 0.6
        median += _LEVELS * level
        return median - (_SHORTER if self.abrupt or not self.views else 1.0), 1.0

    def _share(self, view: str) -> float:
        """Return how much of the variance a view is expected to explain."""
        others = len(self.views) - 1
        if not others:
            return 1.0
        return 0.5 if view == self.views[0] else 0.5 / others


def covariance(shape: Shape, logs: Tensor, parts: Distances) -> Tensor:
    """Return the covariance, batch x n x m, at the logarithms of the hyper-parameters."""
    value = dict(zip(shape.names, logs.exp().tolist(), strict=True))
    along = _along(shape, value, parts) if shape.parameters else None
    if not shape.views and along is not None:
        return along.mul_(value["process"])
    across = parts.same * value["nugget"]
    for name, squared in zip(shape.views, parts.views, strict=True):
        _add_matern(across, squared * (5.0 / value[f"length.{name}"] ** 2), value[f"scale.{name}"])
    if along is None:
        return across
    return across.mul_(along * value["product"] + 1.0).add_(along, alpha=value["process"])


def variance(shape: Shape, logs: Tensor) -> float:
    """Return the covariance of a candidate with itself."""
    value = dict(zip(shape.names, logs.exp().tolist(), strict=True))
    if not shape.views:
        return value["process"]
    across = value["nugget"] + sum(value[f"scale.{name}"] for name in shape.views)
    return across * (1.0 + value.get("product", 0.0)) + value.get("process", 0.0)


def derivatives(shape: Shape, logs: Tensor, pairs: Pairs) -> tuple[Tensor, list[Tensor]]:
    """Return the covariance of m pairs, m, and its derivative by each logarithm but that of the noise."""
    value = dict(zip(shape.names, logs.exp().tolist(), strict=True))
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
        plain, slope = _matern_slope(scaled)
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


def _add_matern(total: Tensor, scaled: Tensor, scale: float) -> None:
    """Add the Matérn 5/2 covariance at five times squared, scaled distances (Rasmussen & Williams 2006, eq. 4.17).

    Every operation is in place: for a large pool, going over memory takes as long as the arithmetic.
    """
    root = scaled.sqrt()
    polynomial = scaled.mul_(1.0 / 3.0).add_(root).add_(1.0)
    total.addcmul_(polynomial, root.neg_().exp_(), value=scale)


def _matern_slope(squared: Tensor) -> tuple[Tensor, Tensor]:
    """Return the correlation, and its derivative by the logarithm of the length scale."""
    root = squared.sqrt().mul_(_ROOT5)
    decay = torch.exp(-root)
    slope = (root + 1.0).mul_(squared).mul_(5.0 / 3.0).mul_(decay)
    return root.add_(1.0).add_(squared, alpha=5.0 / 3.0).mul_(decay), slope


def _along(shape: Shape, value: dict[str, float], parts: Distances) -> Tensor:
    """Return the correlation along the parameters, batch x n x m."""
    lengths = torch.tensor([value[f"length.{i}"] for i in range(shape.parameters)], dtype=torch.float64)
    if shape.warped:
        parts = replace(parts, left=_warped(shape, value, parts.left), right=_warped(shape, value, parts.right))
    scaled = parts.along(lengths)
    if shape.smooth:
        return scaled.mul_(-0.5).exp_()
    found = torch.zeros_like(scaled)
    _add_matern(found, scaled.mul_(5.0), 1.0)
    return found


def _warped(shape: Shape, value: dict[str, float], columns: Tensor) -> Tensor:
    """Return the columns of the parameters, batch x n x p, some of them warped."""
    found = columns.clone()
    low, high = _exponents(shape, value)
    chosen = list(shape.warped)
    found[..., chosen] = warped(columns[..., chosen], low, high)
    return found


def _exponents(shape: Shape, value: dict[str, float]) -> tuple[Tensor, Tensor]:
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


def _process(shape: Shape, value: dict[str, float], pairs: Pairs) -> _Process:
    squares, bends = list(pairs.parameters), []
    low, high = _exponents(shape, value)
    for place, column in enumerate(shape.warped):
        ends = [(side[:, column], low[place], high[place]) for side in (pairs.left, pairs.right)]
        apart = pairs.apart(*(warped(*end) for end in ends))
        squares[column] = apart.square()
        by_end = (pairs.apart(left, right) for left, right in zip(*(slopes(*end) for end in ends), strict=True))
        bends += [apart * by * (-1.0 / value[f"length.{column}"] ** 2) for by in by_end]
    each = [p / value[f"length.{i}"] ** 2 for i, p in enumerate(squares)]
    along, common = _decay(shape, torch.stack(each).sum(dim=0))
    return _Process(along, [common * part for part in each], [common * bend for bend in bends])


def _decay(shape: Shape, squared: Tensor) -> tuple[Tensor, Tensor]:
    """Return the correlation at squared distances, and minus twice its derivative by these."""
    if shape.smooth:
        found = torch.exp(-0.5 * squared)
        return found, found
    root = squared.sqrt().mul_(_ROOT5)
    decay = torch.exp(-root)
    return (1.0 + root + squared * (5.0 / 3.0)).mul_(decay), (root + 1.0).mul_(decay).mul_(5.0 / 3.0)
