"""What the planner does not load: a user waits for it each time."""

import subprocess
import sys

HEAVY = ("ax", "matplotlib", "pandas", "plotly", "pymatgen", "scipy.stats", "sklearn", "sqlalchemy", "sympy")


def test_the_planner_loads_no_more_than_it_needs() -> None:
    code = f"import sys, loop.planning.planner; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
