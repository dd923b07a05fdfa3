"""The hyper-parameters of a metric's covariance, and their priors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import torch
from torch import Tensor

NOISE = "noise"
"""The group of hyper-parameters that is the likelihood's rather than the kernel's."""
SEVERAL = ("view_outputscale", "view_lengthscale", "low", "high")
"""Groups of hyper-parameters with one number for each view, or for each warped column."""
OFFSET = 0.25
"""Prior variance of the constant, in standardised units (Rasmussen & Williams 2006, section 2.7); not tuned."""
_CONSERVATIVE_OFFSET = 4.0  # the same of a conservative model: docs/benchmarks.md, "In boxes"
_SHORTER = 2.0
"""By how much the logarithm of a length scale is smaller than Hvarfner et al. have it: without materials (chosen on the
tables that are not held out: docs/benchmarks.md, "The planner against other engines"), and with them where short length
scales are expected (docs/benchmarks.md, "The phase fraction between its limits")."""
_MODE = 3.0  # from the median to the mode of their log-normal prior, whose logarithm has the variance 3
_APART = math.log(0.6)  # of levels, by which a conservative model has them correlate by a tenth: "In boxes"
_LEVELS = 0.5 * math.log(12.0)  # two levels are sqrt(2) apart, two random numbers sqrt(1/6), in the mean square


@dataclass(frozen=True)
class KernelSpec:
    """Which hyper-parameters there are; all of them are positive, and are handled as logarithms.

    Attributes:
        views: names of the views of the material; empty without a pool.
        parameters: number of columns of the parameters.
        levels: columns of each categorical.
        short_length_scale: whether short length scales are expected, and a strong interaction with the material.
        conservative: whether the posterior between measurements is to stay as uncertain as it may be.
        smooth: whether all derivatives by the parameters exist: P is Gaussian.
        warped: columns of the parameters that are warped.
        effects: whether P is a sum of what each parameter does, and of what every two of them do together.
    """

    views: tuple[str, ...]
    parameters: int
    levels: tuple[tuple[int, ...], ...] = ()
    short_length_scale: bool = False
    conservative: bool = False
    smooth: bool = False
    warped: tuple[int, ...] = ()
    effects: bool = False

    @cached_property
    def apiece(self) -> tuple[tuple[int, ...], ...]:
        """The columns of each parameter: a categorical has several."""
        categorical = {column for columns in self.levels for column in columns}
        return (*self.levels, *((column,) for column in range(self.parameters) if column not in categorical))

    @cached_property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The hyper-parameters: GPyTorch's name of each group to their names in the log; the noise is last."""
        found: dict[str, Sequence[str]] = {
            "view_outputscale": [f"scale.{name}" for name in self.views],
            "view_lengthscale": [f"length.{name}" for name in self.views],
            "lengthscale": [f"length.{i}" for i in range(self.parameters)],
            "outputscale": ["process"] * bool(self.parameters),
            "pair_outputscale": ["pairs"] * self.effects,
            "low": [f"low.{i}" for i in self.warped],
            "high": [f"high.{i}" for i in self.warped],
            "interaction": ["product"] * bool(self.parameters and self.views),
            "nugget": ["nugget"] * bool(self.views),
            NOISE: ["noise"] * (not self.views),
        }
        return {group: tuple(names) for group, names in found.items() if names}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the hyper-parameters in the order of the vector."""
        return tuple(chain.from_iterable(self.groups.values()))

    def excess(self, logs: Tensor) -> float:
        """Return the variance of the noise that measurements do not tell of; with materials, the nugget covers it."""
        return 0.0 if self.views else float(logs[-1].exp())

    @property
    def constant(self) -> float:
        """The prior variance of the constant, in standardised units.

        A campaign measures good candidates most: to a conservative model, their mean says nothing of other candidates.
        """
        return _CONSERVATIVE_OFFSET if self.conservative else OFFSET

    @cached_property
    def priors(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each logarithm before any data.

        The first view is expected to say as much as all others together. Length scales of views are of the order of the
        distance between two materials; those of parameters grow with their number (Hvarfner, Hellsten & Nardi 2024,
        ICML 41), in which a categorical counts once, and with how far apart two of their values are; each effect is of
        one parameter, however many there are. Those of a conservative model are near the mode of that prior, levels are
        hardly correlated, and the variance is that of the measurements: a model that smooths over what lies between
        them, or predicts one level by another, stays at the first good candidate (as in BayBE; Fitzner et al. 2025,
        Digital Discovery 4, 1991). That of the noise was chosen together with ``_SHORTER``; the others are not tuned.
        """
        mean, sd = [], []
        for name in self.names:
            match name.split("."):
                case ["scale", view]:
                    prior = (math.log(self._share(view)), 1.5)
                case ["length", str(which)]:
                    prior = self._reach(int(which)) if which.isdigit() else (0.0, 0.7)
                case ["process"] if self.conservative:
                    prior = (0.0, 0.1)
                case ["nugget"]:
                    prior = (math.log(0.01), 2.0)
                case ["noise"]:
                    prior = (math.log(0.001), 2.0)
                case ["low" | "high", _]:
                    prior = (0.0, 0.5)
                case ["product"] if self.short_length_scale:
                    prior = (math.log(2.0), 1.0)
                case _:
                    prior = (math.log(0.5), 1.0)
            mean.append(prior[0])
            sd.append(prior[1])
        return torch.tensor(mean, dtype=torch.float64), torch.tensor(sd, dtype=torch.float64)

    def _reach(self, column: int) -> tuple[float, float]:
        """Return the prior of the logarithm of a column's length scale: mean and standard deviation."""
        count = 1 if self.effects else len(self.apiece)
        median = math.sqrt(2.0) + 0.5 * math.log(count)
        level = any(column in columns for columns in self.levels)
        if self.conservative:
            return _APART if level else median - _MODE, 0.6
        median += _LEVELS * level
        return median - (_SHORTER if self.short_length_scale or not self.views else 1.0), 1.0

    def _share(self, view: str) -> float:
        """Return how much of the variance a view is expected to explain."""
        others = len(self.views) - 1
        if not others:
            return 1.0
        return 0.5 if view == self.views[0] else 0.5 / others
