import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the matrices are small: more threads only get in each other's way


def pytest_runtest_setup() -> None:
    """Keep BoTorch from compiling its C++ for hypervolumes, which takes half a minute; tests do without."""
    if kernels := sys.modules.get("botorch.acquisition.multi_objective.logei"):
        kernels._load_attempted = True  # type: ignore[attr-defined]
