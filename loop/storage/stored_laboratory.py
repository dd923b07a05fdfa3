"""What belongs to the laboratory of a store, and lies beside it: emergency stop, stock, and held stations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from instruments.emergency_stop import StopFile
from loop.core.station_modes import StationOrder
from loop.storage.lab_files.station_ledger import ledger_beside
from loop.storage.lab_files.stock_ledger import Stock, read_stock, stock_beside
from loop.storage.lab_files.stop_files import STOP_FILE

if TYPE_CHECKING:
    from loop.storage.reader import Reader


def stored_stop(store: Reader) -> StopFile:
    """Return the emergency stop of a store's laboratory."""
    kept = store.artefacts(STOP_FILE)
    return StopFile(Path(kept["path"]["path"]) if kept else store.path.with_suffix(".stop"))


def stored_stocks(store: Reader) -> dict[str, Stock]:
    """Return how much there is of the consumables that the laboratory of a store counts."""
    return read_stock(stock_beside(stored_stop(store).path))


def stored_orders(store: Reader) -> Sequence[StationOrder]:
    """Return what was ordered of stations for all campaigns on the lab file of a store."""
    return ledger_beside(stored_stop(store).path).orders
