"""The parts of a campaign that a benchmark of the planner needs for its file to be valid, and never runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def looking(gives: Iterable[str], parameters: Iterable[str] = ()) -> dict[str, Any]:
    """Return a lab, its one station, and a workflow of one step, which takes parameters and gives metrics."""
    step = {
        "name": "look",
        "stations": ["eye"],
        "recipe": {name: f"${name}" for name in parameters},
        "analysis": "benchmarks.looking:looking",
        "gives": list(gives),
        "timeout": "1 h",
    }
    return {"lab": {"kind": "virtual"}, "stations": {"eye": {"kind": "furnace"}}, "workflow": [step]}
