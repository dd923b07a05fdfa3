"""The covariance of the measurements and its derivatives by the hyper-parameters in closed form.

``MetricKernel`` gives the same by automatic differentiation, with which a fit takes 1.4 to 3 times as long for up to a
hundred measurements (docs/benchmarks.md, "What a fit costs"), as it is many small operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogates.models.distances import Distances
from surrogates.models.kernel import EDGE, kumaraswamy
from surrogates.models.kernel_spec import NOISE, KernelSpec

_Values = Mapping[str, Tensor]
"""By the names of ``KernelSpec.groups``."""
_Slopes = Callable[[Tensor], dict[str, Tensor]]
"""Turns derivatives by a result into those by the logarithms of the hyper-parameters that it depends on."""


@dataclass(frozen=True)
class PairCovariance:
    """Rows with each pair listed once, as a covariance is symmetric: there are m = n (n + 1) / 2 pairs.

    Attributes:
        spec: which hyper-parameters there are.
        columns: of the parameters, p x n.
        squares: squared differences along each column, p x m.
        views: squared distances by each view, v x m.
        same: whether both rows are of one material, m.
        rows: places of both rows of each pair, m and m.
        entries, times: where in a flat n x n matrix each pair is, and how often, m.
        pairs: which pair is where in a flat n x n matrix, n * n.
        members: which columns act together, k x p: those of one parameter where effects add up, else all.
    """

    spec: KernelSpec
    columns: Tensor
    squares: Tensor
    views: Tensor
    same: Tensor
    rows: tuple[Tensor, Tensor]
    entries: Tensor
    times: Tensor
    pairs: Tensor
    members: Tensor

    @classmethod
    def of(cls, spec: KernelSpec, parts: Distances) -> PairCovariance:
        """Return the pairs of n rows, whose distances from each other are given."""
        columns, n = parts.left.mT.contiguous(), len(parts.left)
        row, column = torch.tril_indices(n, n)
        entries, pairs = row * n + column, torch.empty(n * n, dtype=torch.long)
        pairs[entries] = pairs[column * n + row] = torch.arange(len(entries))
        times = torch.where(row == column, 1.0, 2.0).double()
        views = torch.stack([each.take(entries) for each in (*parts.views, parts.same)])
        squares = (columns[:, row] - columns[:, column]).square_()
        members = torch.ones(1, spec.parameters, dtype=torch.float64)
        if spec.effects:
            members = torch.zeros(len(spec.apiece), spec.parameters, dtype=torch.float64)
            for place, each in enumerate(spec.apiece):
                members[place, each] = 1.0
        return cls(spec, columns, squares, views[:-1], views[-1], (row, column), entries, times, pairs, members)

    def at(self, logs: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Return the covariance, n x n, but for constant and prior, at the logarithms of the hyper-parameters.

        The second result turns derivatives by it, n x n, into those by each logarithm but that of the noise.
        """
        sizes = {name: len(labels) for name, labels in self.spec.groups.items()}
        value = dict(zip(sizes, logs.exp().split([*sizes.values()]), strict=True))
        found, slopes = self._of_views(value) if self.spec.views else self._of_parameters(value)

        def by_logs(weight: Tensor) -> Tensor:
            by = slopes(weight.take(self.entries).mul_(self.times))
            return torch.cat([by[name].view(-1) for name in sizes if name != NOISE])

        return found.index_select(0, self.pairs).view(self.columns.shape[1], -1), by_logs

    def _of_views(self, value: _Values) -> tuple[Tensor, _Slopes]:
        """Return the covariance of m pairs of materials, and of their conditions where there are any."""
        scales, nugget = value["view_outputscale"], value["nugget"]
        scaled = self.views / value["view_lengthscale"].square().unsqueeze(-1)
        each, fading = _decay(scaled)
        across = scales @ each + nugget * self.same

        def slopes(weight: Tensor) -> dict[str, Tensor]:
            return {
                "view_outputscale": each @ weight * scales,
                "view_lengthscale": (scaled * fading) @ weight * scales,
                "nugget": self.same @ weight * nugget,
            }

        if not self.spec.parameters:
            return across, slopes
        process, interaction = value["outputscale"], value["interaction"]
        (along,), slopes_along = self._along(value)
        both = along * interaction + 1.0

        def all_slopes(weight: Tensor) -> dict[str, Tensor]:
            product = {
                "interaction": interaction * (across * along @ weight),
                "outputscale": process * (along @ weight),
            }
            return product | slopes(weight * both) | slopes_along((weight * (across * interaction + process))[None])

        return across * both + along * process, all_slopes

    def _of_parameters(self, value: _Values) -> tuple[Tensor, _Slopes]:
        """Return the covariance of m pairs where there are no materials."""
        each, slopes_along = self._along(value)
        process, pair, k = value["outputscale"], value.get("pair_outputscale", torch.zeros(1).double()), len(each)
        total, ordered = each.sum(dim=0), max(k * (k - 1), 1)
        mains, together = total / k, (total.square() - each.square().sum(dim=0)) / ordered

        def slopes(weight: Tensor) -> dict[str, Tensor]:
            by_each = ((total - each) * (2.0 * pair / ordered) + process / k) * weight
            scales = {"outputscale": process * (mains @ weight), "pair_outputscale": pair * (together @ weight)}
            return scales | slopes_along(by_each)

        return mains * process + together * pair, slopes

    def _along(self, value: _Values) -> tuple[Tensor, _Slopes]:
        """Return the correlations along the parameters, k x m: along each where effects add up, else one."""
        inverse = value["lengthscale"].square().reciprocal()
        squares, bends = self._warped(value) if self.spec.warped else (self.squares, {})
        found, fading = _decay((self.members * inverse) @ squares, self.spec.smooth)

        def slopes(weight: Tensor) -> dict[str, Tensor]:
            by = fading * weight
            warps = {name: -(bend @ by[0]) * inverse[[*self.spec.warped]] for name, bend in bends.items()}
            return {"lengthscale": (by @ squares.mT * self.members).sum(dim=0) * inverse} | warps

        return found, slopes

    def _warped(self, value: _Values) -> tuple[Tensor, dict[str, Tensor]]:
        """Return squares, p x m, some columns warped, and half of their derivatives by the exponents' logarithms."""
        low, high, columns = value["low"], value["high"], self.columns[[*self.spec.warped]].mT
        row, column = self.rows
        bent = kumaraswamy(columns, low, high).mT
        slopes = [each.mT for each in _warp_slopes(columns, low, high)]
        apart = bent[:, row] - bent[:, column]
        squares = self.squares.index_copy(0, torch.tensor(self.spec.warped), apart.square())
        bends = [apart * (slope[:, row] - slope[:, column]) for slope in slopes]
        return squares, dict(zip(("low", "high"), bends, strict=True))


def _decay(squared: Tensor, smooth: bool = False) -> tuple[Tensor, Tensor]:
    """Return the correlation at scaled squared distances, and minus twice its derivative by these.

    Gaussian where it is smooth, else Matérn 5/2 (Rasmussen & Williams 2006, equations 4.9 and 4.17).
    """
    if smooth:
        found = torch.exp(-0.5 * squared)
        return found, found
    scaled = squared * 5.0
    root = scaled.sqrt()
    fading, slope = torch.exp(-root), root + 1.0
    return scaled.mul_(1.0 / 3.0).add_(slope).mul_(fading), slope.mul_(fading).mul_(5.0 / 3.0)


def _warp_slopes(columns: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return the derivatives of warped columns, n x k, by the logarithms of their exponents, k and k."""
    inside, within = columns.clamp(EDGE, 1.0 - EDGE), (columns > 0.0) & (columns < 1.0)
    power = inside**low
    rest = 1.0 - power
    by_low = low * high * rest ** (high - 1.0) * power * inside.log()
    by_high = -high * rest**high * rest.log()
    return by_low.where(within, 0.0), by_high.where(within, 0.0)
