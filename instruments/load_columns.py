"""What an event of several samples says of one of them, by the names that an instrument for one sample has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def of_place(station: str, place: int, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a mapping by the names of an event has of one place, and of the instrument as a whole.

    Args:
        station: whose event it is.
        place: from 1.
        values: name to anything; those of the place come by the names that an instrument for one sample has.
    """
    found: dict[str, Any] = {}
    placed = re.compile(rf"{re.escape(station)}_place(\d+)_(.+)")
    mine: dict[str, Any] = {}
    for name, value in values.items():
        match = placed.fullmatch(name)
        if match is None:
            found[name] = value
        elif int(match[1]) == place:
            mine[f"{station}_{match[2]}"] = value
    return found | mine
