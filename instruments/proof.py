"""The proof that every job needs: it has ended, and the instrument's settings are still those of the recipe.

An instrument that was restarted in the middle of a job has forgotten them, and says that it stands still. No subclass
of ``JobInstrument`` can leave this out: what its ``verify`` proves comes on top.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from bluesky import plan_stubs as bps
from ophyd.signal import EpicsSignalBase
from ophyd.utils import DisconnectedError

from campaigns.errors import SampleError, StepError, UnknownJobError
from campaigns.values import Scalar
from instruments.job import Job
from instruments.job_instrument import SAMPLE_FAILED, JobInstrument, Readback
from instruments.plan_runner import Plan

_GRACE = 1.0
"""Wall time in seconds within which a readback follows an instrument that says that its job is done. Not tuned."""
_POLL = 0.1
"""Wall time in seconds between two looks at a readback."""


def proven(instrument: JobInstrument, job: Job) -> Plan:
    """Prove from fresh readings that a job has ended, with the settings that it was given.

    Raises:
        UnknownJobError: the readings belong to another job.
        StepError: the job did not do what its recipe says.
        SampleError: the instrument says that this is the sample's fault.
        DisconnectedError: the instrument does not answer.
    """
    check_ended(instrument, job)
    recipe = {**instrument.defaults, **job.recipe}
    for key in [key for key in instrument.settings if key in recipe and key not in instrument.own]:
        yield from _stays((instrument, instrument), key, recipe[key])
    for one in job.members:
        full = {**recipe, **one.recipe}
        for key in [key for key in instrument.own_settings if key in full]:
            yield from _stays((instrument, instrument.place(one.place)), key, full[key])
    instrument.verify(job)


def check_ended(instrument: JobInstrument, job: Job) -> None:
    """Check that an instrument is at a job, and says that it is done.

    Raises:
        UnknownJobError: the readings belong to another job.
        StepError: the job is not done.
        SampleError: the instrument says that this is the sample's fault.
    """
    if (token := instrument.token.get()) != job.token:
        raise UnknownJobError(
            f"{instrument.name} is at job {token!r}, not at {job.token!r}; its readings are another job's"
        )
    if (state := instrument.state.get()) != "done":
        error = SampleError if state == SAMPLE_FAILED else StepError
        raise error(f"{instrument.name}: job {job.token} is {state}, not done: {instrument.message.get()}")


def agrees(wanted: Scalar, got: Any, tolerance: float = 0.0) -> bool:
    """Return whether a reading is what was set; numbers within a tolerance, or single precision."""
    if isinstance(wanted, str):
        return bool(got == wanted)
    return bool(np.isclose(float(got), float(wanted), rtol=1e-6, atol=tolerance))


def _stays(of: tuple[JobInstrument, Any], key: str, wanted: Scalar) -> Plan:
    """Look at a readback until it has agreed with its setting for long enough, and was updated where it always is.

    Args:
        of: the instrument, and what of it has the readback: itself, or a place.
        key: name of the setting.
        wanted: what it was set to.

    Raises:
        StepError: it does not agree in time.
    """
    instrument, device = of
    where = instrument.readbacks.get(key, Readback(key))
    ends = time.monotonic() + _GRACE + where.dwell
    since: tuple[float, float] | None = None  # wall time, and the reading's time stamp
    while True:
        got, stamp = _fresh(getattr(device, where.signal))
        now = time.monotonic()
        if not agrees(wanted, got, where.tolerance):
            since = None
        elif since is None:
            since = (now, stamp)
        if since is not None and now - since[0] >= where.dwell and not (where.updates and stamp <= since[1]):
            return
        if now >= ends:
            raise StepError(_mismatch(instrument, key, (wanted, got), stale=since is not None))
        yield from bps.sleep(_POLL)


def _fresh(signal: Any) -> tuple[Any, float]:
    """Return what a device says now of a signal, not what it last sent, and the time stamp of that."""
    value = signal.get(use_monitor=False) if isinstance(signal, EpicsSignalBase) else signal.get()
    if not signal.connected:
        raise DisconnectedError(f"{signal.name} is disconnected")
    return value, float(signal.timestamp)


def _mismatch(instrument: JobInstrument, key: str, values: tuple[Scalar, Any], *, stale: bool) -> str:
    wanted, got = values
    where = instrument.readbacks.get(key, Readback(key))
    if stale:
        return (
            f"{instrument.name}: {where.signal} has not been updated since the job, so that nobody can tell whether "
            f"{key} is {wanted!r}; look at the device"
        )
    unit = "" if isinstance(wanted, str) else f" {instrument.unit_of(key)}".removesuffix(" 1")
    allowed = f" ± {where.tolerance:g}" if where.tolerance else ""
    return (
        f"{instrument.name}: after the job, {where.signal} is {got!r}{unit}; allowed: {wanted!r}{allowed}{unit}, as "
        f"{key} was set; look at the device: it may have been restarted"
    )
