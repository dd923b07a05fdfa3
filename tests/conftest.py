import gc
import os
import sys
from collections.abc import Generator

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the matrices are small: more threads only get in each other's way


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the collector of garbage from what the tests import, which stays; it spent a sixth of the time on it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_runtest_setup() -> None:
    """Keep BoTorch from compiling its C++ for hypervolumes, which takes half a minute; tests do without."""
    if kernels := sys.modules.get("botorch.acquisition.multi_objective.logei"):
        kernels._load_attempted = True  # type: ignore[attr-defined]
