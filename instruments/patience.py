"""How long an instrument that does not answer is asked again: for as long as its job may take."""

from __future__ import annotations

import time

from instruments.job import Job
from instruments.job_instrument import JobInstrument
from instruments.step_errors import is_silence, reason_of

READS = 3
"""Times that an instrument is asked at least: data of a job that has ended still lie there. Not tuned."""
_PAUSE = 0.5
"""Wall time in seconds before it is asked again, at first; then twice as long each time. Not tuned."""
_LONGEST = 30.0
"""Longest such pause in seconds of wall time: short beside the steps of a laboratory."""


class Patience:
    """Counts how often a job's instrument has not answered, and knows when its time is over.

    Args:
        instrument: shows what its link says meanwhile.
        job: whose time it is, from now on.
    """

    def __init__(self, instrument: JobInstrument, job: Job) -> None:
        self._instrument, self._clock = instrument, instrument.clock
        self._ends = self._clock.now() + job.timeout
        self._gives_up = time.monotonic() + self._clock.wall_time(job.timeout)
        self._asked = 0

    @property
    def left(self) -> float:
        """Seconds of lab time that the job may still take."""
        return max(self._ends - self._clock.now(), 0.0)

    @property
    def _in_time(self) -> bool:
        # lab time stands still for as long as somebody is at work by a virtual clock, so that wall time counts as well
        return self.left > 0.0 and time.monotonic() < self._gives_up

    def answered(self) -> None:
        """Take note that the instrument has answered."""
        self._asked, self._instrument.silence = 0, ""

    def pause(self, error: BaseException) -> float | None:
        """Take note of an error; return for how many seconds of wall time to pause, or None where it is final.

        A link that is silent is asked again until the job's time is over, any other fault ``READS`` times in all.
        """
        self._asked += 1
        silent = is_silence(error)
        self._instrument.silence = reason_of(error) if silent else ""
        if self._asked >= READS and not (silent and self._in_time):
            return None
        return min(_PAUSE * 2.0 ** (self._asked - 1), _LONGEST)
