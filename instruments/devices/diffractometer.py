"""Powder diffractometers: they count X-rays at each angle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from ophyd import Component

from campaigns.errors import StepError
from campaigns.values import Scalar
from instruments.built_in import DIFFRACTOMETER
from instruments.job import Job
from instruments.job_instrument import JobInstrument, Quantity


class Diffractometer(JobInstrument):
    """A powder diffractometer with a sample changer."""

    settings: ClassVar[tuple[str, ...]] = tuple(DIFFRACTOMETER.settings)
    defaults: ClassVar[Mapping[str, Scalar]] = DIFFRACTOMETER.defaults

    count_time = Component(Quantity, value=0.0, **DIFFRACTOMETER.settings["count_time"].stated)
    """Time per angle."""

    two_theta = Component(Quantity, value=np.zeros(0), unit="deg")
    counts = Component(Quantity, value=np.zeros(0), unit="1")

    def verify(self, job: Job) -> None:
        """Prove that there is one count per angle.

        Raises:
            UnknownJobError: the readings belong to another job.
            StepError: the pattern is empty or torn.
        """
        super().verify(job)
        same_length(self.name, self.two_theta, self.counts)


def same_length(name: str, *signals: Quantity) -> None:
    """Check that arrays that belong together are of one length, which is not zero.

    Raises:
        StepError: they are not.
    """
    lengths = {signal.attr_name: np.size(signal.get()) for signal in signals}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise StepError(f"{name}: got arrays of lengths {lengths}; allowed: equal and not empty; measure again")
