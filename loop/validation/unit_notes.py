"""Notes on units that are valid, and rarely meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from campaigns.campaign import Campaign
from campaigns.load import read_text
from campaigns.parsing.yaml_lines import read_document

_COULOMB = ("C", "C/min", "C/h", "C/s")


def unit_notes(campaign: Campaign, file: Path) -> Iterator[str]:
    """Yield a note for each unit in coulombs that looks like a temperature, and for each timeout without a unit."""
    units = {f"space.parameters.{name}": one.unit for name, one in campaign.space.parameters.items()}
    units |= {f"metrics.{name}": one.unit for name, one in campaign.metrics.items()}
    for place, unit in units.items():
        if unit in _COULOMB:
            meant = unit.replace("C", "degC")
            yield f"{place}.unit: C is the coulomb, an electric charge; write {meant} for degrees Celsius"
    for number, step in enumerate(read_document(read_text(file)).data.get("workflow") or ()):
        if isinstance(step.get("timeout"), int | float):
            yield f"workflow[{number}].timeout: {step['timeout']:g} has no unit and is taken as seconds"
