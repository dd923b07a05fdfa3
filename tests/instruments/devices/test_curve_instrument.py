"""A curve counts if its arrays belong together."""

from collections.abc import Callable

import numpy as np
import pytest

from campaigns.errors import StepError
from simulators.virtual_lab import VirtualLab
from tests.labs import Crew, job


@pytest.fixture
def crew(crew_of: Callable[..., Crew[VirtualLab]]) -> Crew[VirtualLab]:
    """A lab in which a sample was made, scanned and cycled."""
    crew = crew_of()
    crew.run(job("oven"), job("xrd"), job("cycler"))
    return crew


@pytest.mark.parametrize("station", ["xrd", "cycler"])
def test_a_whole_curve_of_the_job_itself_is_accepted(crew: Crew[VirtualLab], station: str) -> None:
    instrument = crew.lab.instrument(station)
    instrument.verify(job(station))


@pytest.mark.parametrize(("station", "signal"), [("xrd", "counts"), ("cycler", "voltage")])
def test_curves_that_are_torn_or_empty_are_refused(crew: Crew[VirtualLab], station: str, signal: str) -> None:
    instrument = crew.lab.instrument(station)
    for torn in (getattr(instrument, signal).get()[:-3], np.zeros(0)):
        getattr(instrument, signal).put(torn)
        with pytest.raises(StepError, match=r"got arrays of lengths .* measure again"):
            instrument.verify(job(station))
