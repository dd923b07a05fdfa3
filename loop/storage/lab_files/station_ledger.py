"""Which stations of a lab file people hold: an append-only file beside it, which its campaigns share.

A line is one order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from campaigns.decisions import StationMode
from loop.core.station_modes import StationOrder
from loop.storage.lab_files.lab_lock import shared_folder
from loop.storage.lab_files.shared_lines import SharedLines

if TYPE_CHECKING:
    from campaigns.lab.lab_rules import LabFileConfig

_FILE = "stations.jsonl"


class StationLedger:
    """What was ordered of the stations of a lab file, in any of its campaigns or for all of them.

    Args:
        path: of the file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        advice = "correct or remove the line, and look which stations are to be held"
        self._lines = SharedLines(path, "says who holds stations", advice)
        self._orders: list[StationOrder] = []

    @property
    def orders(self) -> Sequence[StationOrder]:
        """All orders, the latest last.

        Raises:
            LabError: the file cannot be read, so that nobody knows which stations are held.
        """
        self._orders += self._lines.read(_order)
        return tuple(self._orders)

    @property
    def is_behind(self) -> bool:
        """Whether something was added since it was read."""
        return self._lines.is_behind

    def add(self, order: StationOrder) -> None:
        """Let an order hold for all campaigns on the lab file.

        Raises:
            LabError: it cannot be written.
        """
        self._lines.add(asdict(order))


def stations_file(lab_file: Path) -> Path:
    """Return where it is kept which stations of a lab file people hold."""
    return shared_folder(lab_file) / _FILE


def station_ledger(rules: LabFileConfig | None) -> StationLedger | None:
    """Return what the campaigns on a lab file share; None where a campaign has its stations for itself."""
    if rules is None or rules.is_simulated:
        return None
    return StationLedger(stations_file(rules.path))


def ledger_beside(stop_file: Path) -> StationLedger:
    """Return what is shared in the laboratory that a file stands for as its emergency stop."""
    return StationLedger(stop_file.resolve().with_suffix(".lab") / _FILE)


def _order(line: bytes) -> StationOrder:
    body = json.loads(line)
    return StationOrder(**{**body, "mode": StationMode(body["mode"])})
