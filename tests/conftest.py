import gc
import importlib
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the documentation: of some pages the commands take half a minute, which one worker would end with."""
    items.sort(key=lambda item: item.path.name != "test_docs.py")


def pytest_runtest_setup() -> None:
    """Let BoTorch be quick once something has loaded it."""
    if "botorch.acquisition.multi_objective.logei" in sys.modules:
        importlib.import_module("tests.quick_botorch")
