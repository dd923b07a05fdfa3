"""Furnaces: they run a program of ramp, soak and cooling by themselves, and keep a log of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from ophyd import Component, Kind

from campaigns.errors import StepError
from campaigns.values import Scalar
from instruments.built_in import FURNACE
from instruments.job import Job
from instruments.job_instrument import JobInstrument, Quantity, text

PEAK_TOLERANCE = 10.0
"""Largest distance of the log's peak from the target, in degC."""
SOAK_TOLERANCE = 5.0
"""Largest standard deviation of the log during the soak, and distance of its mean from the target, in degC."""
HANDLING = 60.0
"""Highest temperature at which a sample may be taken out, in degC.

These three are not tuned: the tolerances are about those of a type K thermocouple of class 2 at 800 degC (6 K, IEC
60584-1), and 60 degC is what a gloved hand holds. A furnace of one's own sets others in a subclass."""


class Furnace(JobInstrument):
    """A programmable furnace. Once started it needs nobody: it completes its program and cools by itself."""

    settings: ClassVar[tuple[str, ...]] = tuple(FURNACE.settings)
    texts: ClassVar[frozenset[str]] = frozenset({"atmosphere"})
    defaults: ClassVar[Mapping[str, Scalar]] = FURNACE.defaults
    interlocks: ClassVar[Mapping[str, str]] = {"door": "closed"}

    temperature = Component(Quantity, value=25.0, **FURNACE.settings["temperature"].stated)
    time = Component(Quantity, value=0.0, **FURNACE.settings["time"].stated)
    ramp_rate = Component(Quantity, value=0.0, **FURNACE.settings["ramp_rate"].stated)
    lithium_excess = Component(Quantity, value=0.0, **FURNACE.settings["lithium_excess"].stated)
    atmosphere = text(**FURNACE.settings["atmosphere"].stated)

    door = text("closed", kind=Kind.omitted)
    readback = Component(Quantity, value=25.0, unit="degC", kind=Kind.omitted)
    profile_time = Component(Quantity, value=np.zeros(0), unit="s")
    profile_temperature = Component(Quantity, value=np.zeros(0), unit="degC")
    peak_temperature = Component(Quantity, value=0.0, unit="degC")
    soak_mean_temperature = Component(Quantity, value=0.0, unit="degC")
    soak_sd = Component(Quantity, value=0.0, unit="degC")

    def verify(self, job: Job) -> None:
        """Prove from the furnace's log that it reached the target, held it and is cold again.

        Raises:
            StepError: the log is empty or says otherwise.
        """
        target, log = float(job.recipe["temperature"]), np.asarray(self.profile_temperature.get())
        if log.size == 0:
            raise StepError(f"{self.name}: job {job.token} left no log; look whether the furnace has run")
        self._near("peak", float(self.peak_temperature.get()), target, PEAK_TOLERANCE)
        self._near("mean of the soak", float(self.soak_mean_temperature.get()), target, SOAK_TOLERANCE)
        self._near("spread of the soak", float(self.soak_sd.get()), 0.0, SOAK_TOLERANCE)
        if not log[-1] <= HANDLING:
            raise StepError(f"{self.name} ended at {log[-1]:.0f} degC; allowed: at most {HANDLING:g} degC; let it cool")

    def _near(self, what: str, got: float, wanted: float, tolerance: float) -> None:
        if not abs(got - wanted) <= tolerance:
            raise StepError(
                f"{self.name}: {what} got {got:.1f} degC; allowed: {wanted:g} ± {tolerance:g} degC; "
                "look at the furnace before its next job"
            )
