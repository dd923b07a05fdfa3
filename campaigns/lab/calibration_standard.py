"""A calibration standard: a sample of known value that a station measures again and again."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from campaigns.config import Config, Constant, Count, DottedPath, Name, OwnQuantity, Seconds, Unit
from campaigns.lab.laboratory import StepConfig
from campaigns.lab.setpoints import Difference

STANDARD = "standard"
"""Name of the step in which a station measures its standard."""


class StandardConfig(Config):
    """What a station measures to show that it is still right; no trial of any campaign."""

    recipe: dict[Name, Constant] = Field(default_factory=dict)
    """Settings of the instrument."""
    sample: str = STANDARD
    """What the instrument is told in the place of a sample, such as the position where the standard stays."""
    analysis: DottedPath
    """The function that turns the raw data into a measurement, as that of a step does."""
    analysis_settings: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the analysis."""
    metric: Name
    """What of the measurement is compared."""
    unit: Unit
    """Unit of the value."""
    value: OwnQuantity
    """What the standard should give."""
    tolerance: Difference
    """How far it may be off."""
    every_trials: Annotated[Count, Field(gt=0)] | None = None
    """It is measured again after so many jobs of the station."""
    every: Seconds | None = None
    """It is measured again after so much lab time."""
    timeout: Seconds
    """Longest time that a measurement may take, in lab time."""
    then: Literal["out", "flag"] = "out"
    """What is done when it is off by more. out: the station begins no job until somebody has looked at it; flag: it
    goes on. Either way, the trials that it measured since the last good standard are named."""
    doubtful: Literal["count", "withdraw"] = "count"
    """What becomes of these trials. count: they count until somebody withdraws them; withdraw: the models do not use
    them until somebody says otherwise, by 'athanor trial reanalyse'."""

    @model_validator(mode="after")
    def _comes_back(self) -> Self:
        if self.every is None and self.every_trials is None:
            raise ValueError("every or every_trials says when it is measured again; give one or both")
        return self

    def step_at(self, station: str) -> StepConfig:
        """Return the step that measures it."""
        return StepConfig(
            name=STANDARD,
            stations=(station,),
            recipe=self.recipe,
            analysis=self.analysis,
            analysis_settings=self.analysis_settings,
            gives=(self.metric,),
            timeout=self.timeout,
        )
