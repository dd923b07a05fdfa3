"""Metrics: what is measured in the lab, computed from the material alone, or derived from other metrics."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from campaigns.config import Config, DottedPath, Name, OwnQuantity, OwnRange, Unit
from campaigns.expressions import Product
from campaigns.relative_paths import RelativePathConfig

_SURE = 3.0
"""Standard uncertainties by which noise may carry a value beyond a physical limit."""
_ROUNDED = 0.01
"""Fraction of the range between two limits by which a value may lie beyond either, whatever its stated noise."""


class TrainedPriorConfig(RelativePathConfig):
    """A model that was trained beforehand, as prior mean."""

    model: str
    """The model's folder, beside the campaign file or absolute."""

    @property
    def place(self) -> Path:
        """Where the folder is, absolute."""
        return self.beside(self.model)


class MeasuredConfig(Config):
    """A metric that an analysis computes from a step's raw data, and that a surrogate models."""

    kind: Literal["measured"]
    unit: Unit
    """Unit in which it is stored, modelled and shown."""
    prior: DottedPath | TrainedPriorConfig | None = None
    """A predictor for the pool's materials, used as prior mean; its slope and offset are fitted to the data."""
    prior_as: Literal["mean", "factor"] = "mean"
    """mean: the metric scatters around the prior. factor: it is a fraction of the prior, with an uncertainty in
    proportion to it."""
    proportional_to: Name | None = None
    """Another measured metric to which this one is proportional: their ratio is modelled."""
    floor: OwnQuantity | None = None
    """A value that many materials have exactly and none is below, such as 0 eV for the band gap of metals."""
    within: OwnRange | None = None
    """The limits of all its values, such as [0, 1] for a yield: its logit is modelled, with short length scales of the
    settings. Not together with floor, proportional_to, or prior_as: factor."""
    model: DottedPath | None = None
    """Your own model instead of Athanor's: a BoTorch model class, or a function that returns a model, called with
    train_X, train_Y and train_Yvar. Not together with prior, proportional_to or within."""
    plausible: OwnRange | None = None
    """The range of plausible measurements, such as [0, 400], [0 mAh/g, 0.4 Ah/g] or "0 to 400 mAh/g": one outside goes
    into quarantine. It does not enter the model, and may be changed during the campaign."""

    @field_validator("within", "plausible")
    @classmethod
    def _rises(cls, ends: tuple[float, float] | None) -> tuple[float, float] | None:
        if ends is not None and not ends[0] < ends[1]:
            raise ValueError(f"got {list(ends)}; allowed: the lower limit, then the higher one, such as [0, 1]")
        return ends

    def implausible(self, value: float, sd: float = 0.0) -> str:
        """Return why a value is implausible; empty if it is plausible, or if the file sets no range.

        Args:
            value: in the metric's unit.
            sd: its standard uncertainty, 0 where none is known: noise may carry a value beyond ``floor`` or ``within``.
        """
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.plausible is not None and not self.plausible[0] <= value <= self.plausible[1]:
            low, high = self.plausible
            return f"{value:.6g}{unit} is implausible; the campaign file says {low:g} to {high:g}{unit}"
        noise = _SURE * sd if math.isfinite(sd) else 0.0
        if self.floor is not None and value < self.floor - noise - 1e-9 * abs(self.floor):
            return f"{value:.6g}{unit} is impossible; the campaign file says that none is below {self.floor:g}{unit}"
        if self.within is not None and not self._is_within(value, noise):
            low, high = self.within
            return f"{value:.6g}{unit} is impossible; the campaign file says that all are in {low:g} to {high:g}{unit}"
        return ""

    def _is_within(self, value: float, noise: float) -> bool:
        """Return whether a value lies within the limits, but for noise and rounding."""
        assert self.within is not None  # noqa: S101 - asked only then
        low, high = self.within
        reach = max(noise, _ROUNDED * (high - low))
        return low - reach <= value <= high + reach

    @model_validator(mode="after")
    def _some_is_plausible(self) -> Self:
        if self.plausible is None:
            return self
        low, high = self.plausible
        got = f"plausible is {low:g} to {high:g} {self.unit}"
        if self.floor is not None and not low <= self.floor <= high:
            raise ValueError(f"{got}, which excludes the floor of {self.floor:g}; allowed: a range that holds it")
        if self.within is not None and (high <= self.within[0] or self.within[1] <= low):
            raise ValueError(
                f"{got}, which excludes all of within, {list(self.within)}; allowed: a range that overlaps"
            )
        return self

    @model_validator(mode="after")
    def _own_model_learns_alone(self) -> Self:
        others = {
            "prior": self.prior is not None,
            "proportional_to": self.proportional_to is not None,
            "within": self.within is not None,
        }
        if self.model is not None and any(others.values()):
            given = " and ".join(name for name, is_given in others.items() if is_given)
            raise ValueError(
                f"got model together with {given}; allowed: model alone, as your model gets the metric as measured; "
                f"remove {given}, or model"
            )
        return self

    @model_validator(mode="after")
    def _one_way_to_learn(self) -> Self:
        others = {
            "floor": self.floor is not None,
            "proportional_to": self.proportional_to is not None,
            "prior_as: factor": self.prior_as == "factor",
        }
        if self.within is not None and any(others.values()):
            given = " and ".join(name for name, is_given in others.items() if is_given)
            raise ValueError(f"got within together with {given}; allowed: one of them; leave out the other")
        return self


class ComputedConfig(Config):
    """A metric that needs no measurement: a function of the pool entry."""

    kind: Literal["computed"]
    unit: Unit
    """Unit in which it is stored and shown."""
    function: DottedPath
    """The function of the pool, such as surrogates.predictors.electrodes:precursor_cost."""


class DerivedConfig(Config):
    """A product of other metrics, evaluated on samples of their posteriors."""

    kind: Literal["derived"]
    unit: Unit
    """Unit in which it is shown; it must have the dimension of the formula."""
    formula: Annotated[str, AfterValidator(lambda text: Product(text).text)]
    """Metrics and numbers joined by *, / and **, such as capacity * mean_voltage."""


MetricConfig = Annotated[MeasuredConfig | ComputedConfig | DerivedConfig, Field(discriminator="kind")]
