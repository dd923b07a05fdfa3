"""An experiment that one instrument does from beginning to end, simulated by a function of its recipe.

Where the laboratory of a campaign is no furnace, diffractometer or cycler, its stations are of ``kind: simulated`` and
name a function that returns a ``SimulatedExperiment``: the instrument's settings, its readings, and the law
behind it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from campaigns.user_code.dotted_paths import SHIPPED, Use
from campaigns.values import Scalar
from instruments.built_in import InstrumentFacts, Setting

if TYPE_CHECKING:
    from pymatgen.core import Structure

Recipe = Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an instrument reads several times of one sample.

    Attributes:
        unit: of the readings.
        noise: standard deviation of one reading [unit].
        relative: standard deviation of one reading as a share of the true value, 0.02 for 2 %.
        between_samples: standard deviation of what all readings of a sample share, as a share of the true value: two
            samples made by the same recipe are not the same.
        count: how many readings are taken.
    """

    unit: str
    noise: float = 0.0
    relative: float = 0.0
    between_samples: float = 0.0
    count: int = 5

    def take(self, true: float, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the readings, ``count``, of a true value [unit]."""
        sample = true * (1 + self.between_samples * rng.standard_normal())
        return np.asarray(sample + np.hypot(self.noise, self.relative * sample) * rng.standard_normal(self.count))


@dataclass(frozen=True, slots=True)
class SimulatedExperiment:
    """A simulated instrument.

    Attributes:
        settings: what a recipe may say, each with unit and limits, or with choices.
        readings: signal to what is read there.
        respond: from a complete recipe in the settings' units, and the crystal structure of a pool's material (None
            without a pool), to the true value of each reading in its unit; raises ``SampleError`` where the sample
            cannot be made or measured.
        duration: how long a job takes [s], by a complete recipe.
        defaults: values of the settings that a recipe may leave out.
    """

    settings: Mapping[str, Setting]
    readings: Mapping[str, Reading]
    respond: Callable[[Recipe, Structure | None], Mapping[str, float]]
    duration: Callable[[Recipe], float]
    defaults: Recipe = field(default_factory=dict)

    @property
    def facts(self) -> InstrumentFacts:
        """The settings and readings of its instrument."""
        return InstrumentFacts(self.settings, self.defaults, frozenset(self.readings), loads=True)


def shipped_experiment(path: str) -> SimulatedExperiment | None:
    """Return an experiment of Athanor's own; None for one of the user's, whose code is not run before it is needed."""
    if path not in SHIPPED[Use.EXPERIMENT]:
        return None
    module, _, name = path.partition(":")
    found: SimulatedExperiment = getattr(importlib.import_module(module), name)()
    return found
