"""Instruments whose jobs leave a curve: arrays that belong together, point by point."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from campaigns.errors import StepError
from instruments.job import Job
from instruments.job_instrument import JobInstrument


class CurveInstrument(JobInstrument):
    """An instrument whose job leaves a curve.

    Attributes:
        curve: signals that hold the abscissa and the readings, each an array (``n``).
    """

    curve: ClassVar[tuple[str, ...]] = ()

    def verify(self, job: Job) -> None:
        """Prove that the job has left one reading per point; of a load, a bad curve costs its sample only.

        Raises:
            StepError: the curve is empty, or its arrays are of different lengths.
        """
        if job.members:
            return
        lengths = {name: np.size(getattr(self, name).get()) for name in self.curve}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise StepError(
                f"{self.name}: got arrays of lengths {lengths}; allowed: equal and not empty; measure again"
            )
