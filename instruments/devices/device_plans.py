"""The plan of a station with plain devices: set, prove each arrival, trigger and read."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.protocols import Triggerable
from bluesky.utils import RunEngineControlException, separate_devices

from campaigns.errors import LabError, LimitError, StepError
from campaigns.values import Scalar
from instruments.choices import text_of_choice
from instruments.devices.setpoint import BoundSetpoint
from instruments.patience import READS
from instruments.plan_runner import Plan

_POLL = 0.1
"""Wall time in seconds between two looks at a readback."""
_GRACE = 1.0
"""Wall time in seconds within which a readback follows a device that says it has arrived. Not tuned: EPICS monitors
come within milliseconds, and a move takes longer than a second."""


@dataclass(frozen=True, slots=True)
class Move:
    """Where a setpoint is sent, and how far its reading may be off, in its unit."""

    setpoint: BoundSetpoint
    value: Scalar
    tolerance: float
    unit: str

    def off(self, got: Any) -> bool:
        """Return whether a reading is no arrival at what was wanted."""
        if isinstance(self.value, str):
            return text_of_choice(got, self.setpoint.arrives) != self.value
        try:
            return not abs(float(got) - float(self.value)) <= self.tolerance
        except (TypeError, ValueError):  # it reads no number, as before its first reading has come
            return True


def move_and_read(devices: Sequence[Any], setpoints: Mapping[str, BoundSetpoint], recipe: Mapping[str, Scalar]) -> Plan:
    """Return a plan: set what a recipe says, one after the other, then trigger and read all devices in one event.

    What may not be set beside where another part still is, such as a gas before the furnace has cooled, is set later.

    Units and tolerances are asked of the devices now: those of ophyd-async cannot tell them while the plan goes on.

    Raises:
        StepError: a readback is not where it was sent to, on arrival or when all was read, once the plan is run.
    """
    moves = [Move(one, recipe[name], one.tolerance, one.unit) for name, one in setpoints.items()]
    return _moving_and_reading(devices, moves)


def _moving_and_reading(devices: Sequence[Any], moves: Sequence[Move]) -> Plan:
    def job() -> Plan:
        yield from _move_all(moves)
        yield from _trigger_and_read(devices)
        for move in moves:  # a device that was restarted meanwhile is not there any more
            yield from _arrive(move, _soon(move.setpoint))

    staged = [device for device in devices if hasattr(device, "stage")]
    hinted = [(getattr(one.moved, "hints", {}).get("fields"), "primary") for one in (move.setpoint for move in moves)]
    dimensions = [one for one in hinted if one[0]] or [(["time"], "primary")]
    md = {"plan_name": "move_and_read", "hints": {"dimensions": dimensions}}
    yield from bpp.stage_wrapper(bpp.run_wrapper(job(), md=md), staged)


def _trigger_and_read(devices: Sequence[Any]) -> Plan:
    """Trigger all devices, and read them in one event; again, where that fails: what was triggered still lies there."""
    devices = separate_devices(devices)
    triggered = [device for device in devices if isinstance(device, Triggerable)]
    for device in triggered:
        yield from bps.trigger(device, group="triggered")
    if triggered:
        yield from bps.wait("triggered")
    for attempt in range(1, READS + 1):
        yield from bps.create()
        try:
            for device in devices:
                yield from bps.read(device)
        except (LabError, RunEngineControlException):
            raise
        except Exception:
            yield from bps.drop()
            if attempt == READS:
                raise
            yield from bps.sleep(_GRACE)
        else:
            yield from bps.save()
            return


def _move_all(moves: Sequence[Move]) -> Plan:
    """Set one after the other; what is refused beside where another part still is comes after the others.

    Raises:
        LimitError: what is left may be set in no order.
    """
    left = list(moves)
    while left:
        refusals: list[LimitError] = []
        refused: list[Move] = []
        for move in left:
            try:
                yield from _move(move)
            except LimitError as error:
                refusals.append(error)
                refused.append(move)
        if len(refused) == len(left):
            raise refusals[0]
        left = refused


def _move(move: Move) -> Plan:
    setpoint = move.setpoint
    limit = math.inf if setpoint.config.timeout is None else setpoint.config.timeout
    ends = time.monotonic() + limit
    yield from bps.abs_set(setpoint.moved, move.value, group=setpoint.name)
    yield from bps.wait(setpoint.name, timeout=None if math.isinf(limit) else limit)
    if setpoint.config.readback is None:  # the device itself has said that it is there
        ends = min(ends, _soon(setpoint))
    yield from _arrive(move, ends)


def _soon(setpoint: BoundSetpoint) -> float:
    """Return until when a readback is to show that its device is where it says it is [s of monotonic time]."""
    return time.monotonic() + _GRACE + (setpoint.config.dwell or 0.0)


def _arrive(move: Move, ends: float) -> Plan:
    """Wait until a readback has stayed within its tolerance for long enough; one that cannot be read is read again.

    Raises:
        StepError: it is not there in time.
        Exception: it cannot be read in time.
    """
    setpoint, since = move.setpoint, None
    while True:
        try:
            got = yield from bps.rd(setpoint.arrives)
        except (LabError, RunEngineControlException):
            raise
        except Exception:
            if time.monotonic() >= ends:
                raise
            since = None
            yield from bps.sleep(_POLL)
            continue
        now = time.monotonic()
        if move.off(got) or not getattr(setpoint.arrives, "connected", True):
            since = None
        else:
            since = now if since is None else since
            if now - since >= (setpoint.config.dwell or 0.0):
                return
        if now >= ends:
            raise StepError(
                f"{setpoint.moved.name} was sent to {move.value!r} {move.unit} and is at {got!r}; look at the device"
            )
        yield from bps.sleep(_POLL)
