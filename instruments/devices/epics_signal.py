"""Signals over EPICS Channel Access: read fresh from the server every time, with the limits that it states."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

import ophyd
from ophyd import EpicsSignal
from ophyd.status import Status

from campaigns.errors import LabError
from instruments.signal_units import agreed

PATIENCE = 2.0
"""Wall time in seconds after which a server that does not answer counts as gone."""


def use_control_layer(name: str | None = None, servers: Sequence[str] = ()) -> None:
    """Let ophyd's devices speak EPICS.

    Args:
        name: of the control layer, caproto or pyepics; by default caproto, unless ophyd has one already.
        servers: addresses to look for servers at, instead of broadcasting; ``127.0.0.1:5066`` for example.

    Raises:
        LabError: the control layer is not installed.
    """
    if servers:
        os.environ["EPICS_CA_ADDR_LIST"] = " ".join(servers)
        os.environ["EPICS_CA_AUTO_ADDR_LIST"] = "NO"
    current = ophyd.get_cl().name
    wanted = name or ("caproto" if current == "dummy" else current)
    if wanted == current:
        return
    try:
        ophyd.set_cl(wanted)
    except ImportError as error:
        raise LabError(f"lab.control_layer is {wanted}, which is not installed; pip install {wanted}") from error


class Channel(EpicsSignal):
    """A process variable that knows its unit.

    Its value is never a cached one: a server that does not answer is an error, and not the last value it gave.

    Args:
        read_pv: name of the process variable.
        unit: unit of the value; empty for text.
    """

    def __init__(self, read_pv: str, *, unit: str = "", **kwargs: Any) -> None:
        super().__init__(read_pv, put_complete=True, timeout=PATIENCE, connection_timeout=PATIENCE, **kwargs)
        self._declared = unit

    @property
    def unit(self) -> str:
        """Unit of the value, as the driver has it; what the server states is asked for, and must be the same.

        Raises:
            LimitError: the server states another one.
        """
        return agreed(self._declared, self._stated, self.name)

    @property
    def _stated(self) -> str:
        """The server's EGU field; empty where there is none, or no server answers."""
        if self.connected and self.metadata.get("units") is None:
            with contextlib.suppress(TimeoutError):
                self.get(form="ctrl")
        return str(self.metadata.get("units") or "").strip()

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that a text may take."""
        return tuple(self.enum_strs or ())

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest value that may be set, asked of the server now; (0, 0) when it cannot be asked."""
        if not self.connected:
            return (0, 0)
        try:
            self.get(form="ctrl")
        except TimeoutError:
            return (0, 0)
        low, high = super().limits
        return (low, high)

    def set(self, value: Any, *, timeout: float = PATIENCE, **_: Any) -> Status:
        """Put the value; the status ends when the server has taken it, or fails after ``timeout`` seconds."""
        return super().set(value, timeout=timeout)

    def describe(self) -> dict[str, Any]:
        """Return the data key, with the unit."""
        description: dict[str, Any] = super().describe()
        description[self.name]["units"] = self._stated or self._declared or None
        return description
