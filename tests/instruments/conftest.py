import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators.faults import Fault
from simulators.virtual_lab import VirtualLab
from tests.labs import Crew, LinePhysics, setup


@pytest.fixture
def no_leaks() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) <= before


@pytest.fixture
def crew_of(tmp_path: Path, no_leaks: None) -> Iterator[Callable[..., Crew[VirtualLab]]]:
    """A function from faults to a crew in a virtual lab; everything is closed afterwards, and no thread is left."""
    crews: list[Crew[VirtualLab]] = []

    def make(*faults: Fault, **options: Any) -> Crew[VirtualLab]:
        crews.append(Crew(VirtualLab(setup(tmp_path, *faults), LinePhysics()), **options))
        return crews[-1]

    yield make
    for crew in crews:
        crew.close()
