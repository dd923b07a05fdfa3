import threading

import pytest

from simulators.virtual_lab import VirtualLab
from tests.labs import Crew, LinePhysics, setup


@pytest.fixture
def no_leaks():
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) <= before


@pytest.fixture
def crew_of(tmp_path, no_leaks):
    """A function from faults to a crew in a virtual lab; everything is closed afterwards, and no thread is left."""
    crews = []

    def make(*faults, **options):
        crews.append(Crew(VirtualLab(setup(tmp_path, *faults), LinePhysics()), **options))
        return crews[-1]

    yield make
    for crew in crews:
        crew.close()
