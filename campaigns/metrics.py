"""Metrics: what is measured in the lab, computed from the material alone, or derived from other metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from campaigns.base import Config, DottedPath, Name, OwnQuantity, Unit
from campaigns.beside import BesideConfig
from campaigns.expressions import Product


class TrainedPriorConfig(BesideConfig):
    """A model that was trained beforehand, as prior mean."""

    model: str
    """The model's folder, beside the campaign file or absolute."""

    @property
    def place(self) -> Path:
        """Where the folder is, absolute."""
        return self.beside(self.model)


class MeasuredConfig(Config):
    """A metric that an analysis takes from a step's raw data, and that a surrogate learns."""

    kind: Literal["measured"]
    unit: Unit
    """Unit in which it is stored, learnt and shown."""
    prior: DottedPath | TrainedPriorConfig | None = None
    """A predictor from the pool, used as prior mean after a regression learnt on the data."""
    prior_as: Literal["mean", "factor"] = "mean"
    """mean: the metric lies about the prior. factor: it is a share of the prior, and as uncertain as that is large."""
    proportional_to: Name | None = None
    """Another measured metric that this one grows with in proportion: what is learnt is their ratio."""
    floor: OwnQuantity | None = None
    """A value that many materials have exactly and none falls below, such as 0 eV for the band gap of metals."""
    within: tuple[OwnQuantity, OwnQuantity] | None = None
    """The limits between which it lies, such as [0, 1] for a yield: its logit is learnt, which settings may change
    abruptly. Not together with floor, proportional_to, or a prior as factor."""

    @field_validator("within")
    @classmethod
    def _rises(cls, within: tuple[float, float] | None) -> tuple[float, float] | None:
        if within is not None and not within[0] < within[1]:
            raise ValueError(f"got {list(within)}; allowed: the lower limit, then the higher one, such as [0, 1]")
        return within

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
    """A metric that needs no experiment: a function of the pool entry."""

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
