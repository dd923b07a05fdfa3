"""How long the simulated instruments take for a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from campaigns.values import Scalar
from simulators.furnace_thermal import Program
from simulators.shared_state import StationKind

CHANGE = 120.0
"""Time to change the sample of the diffractometer [s]."""
ASSEMBLY = 3600.0
"""Time to build and rest a cell [s]."""
POINTS = 2101
"""Angles of a diffraction pattern, in steps of 1/30 deg."""


def program_of(recipe: Mapping[str, Scalar]) -> Program:
    """Return the program that a furnace follows, by a recipe in the furnace's units."""
    return Program(float(recipe["temperature"]), float(recipe["time"]), float(recipe["ramp_rate"]))


def job_duration(kind: StationKind, recipe: Mapping[str, Scalar]) -> float:
    """Return how long a job takes [s], by a complete recipe in the instrument's units."""
    match kind:
        case "furnace":
            return program_of(recipe).duration
        case "diffractometer":
            return CHANGE + float(recipe["count_time"]) * POINTS
        case "cycler":
            return ASSEMBLY + 2 * 3600.0 / float(recipe["c_rate"])
    assert_never(kind)
