"""What the planner does not load: a user waits for it each time. Ax brings pandas, Plotly, SQLAlchemy and SymPy."""

import subprocess
import sys

import pytest

HEAVY = ("chgnet", "matgl", "matplotlib", "pymatgen", "ray", "sqlmodel")


@pytest.mark.slow
def test_the_planner_loads_no_more_than_it_needs_and_says_nothing() -> None:
    code = f"import sys, loop.planning.planner; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == ([], "")
