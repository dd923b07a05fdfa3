"""The covariance of a metric between candidates, its hyper-parameters, and their derivatives.

    k = (sum over views of s M(l) + nugget) * (1 + product * P) + process * P

M is Matérn 5/2 on one view of the material and P Matérn 5/2 on the parameters; the nugget is what no view sees of a
material. What is learnt of a material so carries over its conditions, and the reverse (Swersky, Snoek & Adams 2013,
NeurIPS 26; Duvenaud 2014, PhD thesis, Cambridge, chapter 2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogates.posterior.distances import Distances, Split

_ROOT5 = math.sqrt(5.0)
_SHORTER = 2.0  # logarithm by which parameters that make cliffs act over shorter distances than Hvarfner et al. say
_MODE = 3.0  # the same from the median of their belief to its mode


@dataclass(frozen=True)
class Shape:
    """Which hyper-parameters there are; all of them are positive, and are handled as logarithms.

    Attributes:
        views: names of the views of the material; empty without a pool.
        parameters: number of columns of the parameters.
        abrupt: whether a part of a parameter's range is expected to make all the difference, another for each material.
        wary: whether what lies between measurements is expected to be as unknown as it may be.
    """

    views: tuple[str, ...]
    parameters: int
    abrupt: bool = False
    wary: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the hyper-parameters in the order of the vector."""
        material = [f"{part}.{name}" for name in self.views for part in ("scale", "length")]
        process = [f"length.{i}" for i in range(self.parameters)] + ["process"] * bool(self.parameters)
        both = ["product"] * bool(self.parameters and self.views)
        return (*material, *process, *both, "nugget" if self.views else "noise")

    def excess(self, logs: Tensor) -> float:
        """Return the variance of the noise that measurements do not tell of; with materials, the nugget covers it."""
        return 0.0 if self.views else float(logs[-1].exp())

    def beliefs(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each logarithm before any data.

        The first view is expected to say as much as all others together. Length scales of views are of the order of the
        distance between two materials; those of parameters grow with their number (Hvarfner, Hellsten & Nardi 2024,
        ICML 41). Those of a wary model are near the mode of that belief, and its variance is that of the measurements:
        a model that smooths over what lies between them stays at the first good one (as in BayBE; Fitzner et al. 2025,
        Digital Discovery 4, 1991).
        """
        mean, sd = [], []
        for name in self.names:
            match name.split("."):
                case ["scale", view]:
                    belief = (math.log(self._share(view)), 1.5)
                case ["length", str(which)]:
                    belief = self._reach if which.isdigit() else (0.0, 0.7)
                case ["process"] if self.wary:
                    belief = (0.0, 0.1)
                case ["nugget"]:
                    belief = (math.log(0.01), 2.0)
                case ["noise"]:
                    belief = (math.log(0.001), 2.0)
                case ["product"] if self.abrupt:
                    belief = (math.log(2.0), 1.0)
                case _:
                    belief = (math.log(0.5), 1.0)
            mean.append(belief[0])
            sd.append(belief[1])
        return torch.tensor(mean, dtype=torch.float64), torch.tensor(sd, dtype=torch.float64)

    @property
    def _reach(self) -> tuple[float, float]:
        """What is believed of the logarithm of a parameter's length scale: mean and standard deviation."""
        median = math.sqrt(2.0) + 0.5 * math.log(max(self.parameters, 1))
        if self.wary:
            return median - _MODE, 0.6
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
    along = _along(value, parts) if shape.parameters else None
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


def derivatives(shape: Shape, logs: Tensor, parts: Split) -> tuple[Tensor, list[Tensor]]:
    """Return the covariance, n x n, and its derivative by each logarithm but that of the noise."""
    value = dict(zip(shape.names, logs.exp().tolist(), strict=True))
    if not shape.views:
        along, slopes = _process(value, parts)
        total = along * value["process"]
        return total, [*(s * value["process"] for s in slopes), total]
    found: list[Tensor] = []
    across = parts.same * value["nugget"]
    nugget = across.clone()
    for name, squared in zip(shape.views, parts.views, strict=True):
        scaled, scale = squared / value[f"length.{name}"] ** 2, value[f"scale.{name}"]
        plain, slope = _matern_slope(scaled)
        found += [plain.mul_(scale), slope.mul_(scale)]
        across += plain
    if not shape.parameters:
        return across, [*found, nugget]
    along, slopes = _process(value, parts)
    factor = along * value["product"] + 1.0
    process, product = along * value["process"], across * along * value["product"]
    weight = across * value["product"] + value["process"]
    total = across * factor + process
    return total, [
        *(f * factor for f in found),
        *(s * weight for s in slopes),
        process,
        product,
        nugget * factor,
    ]


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


def _along(value: dict[str, float], parts: Distances) -> Tensor:
    """Return the correlation along the parameters, batch x n x m."""
    lengths = torch.tensor([value[f"length.{i}"] for i in range(parts.left.shape[-1])], dtype=torch.float64)
    scaled = parts.along(lengths).mul_(5.0)
    found = torch.zeros_like(scaled)
    _add_matern(found, scaled, 1.0)
    return found


def _process(value: dict[str, float], parts: Split) -> tuple[Tensor, list[Tensor]]:
    """Return the correlation along the parameters, and its derivatives by the logarithms of their length scales."""
    each = [p / value[f"length.{i}"] ** 2 for i, p in enumerate(parts.parameters)]
    squared = torch.stack(each).sum(dim=0)
    root = squared.sqrt().mul_(_ROOT5)
    decay = torch.exp(-root)
    common = (root + 1.0).mul_(decay).mul_(5.0 / 3.0)
    return (1.0 + root + squared * (5.0 / 3.0)).mul_(decay), [common * part for part in each]
