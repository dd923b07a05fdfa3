"""The plan that every station runs: check, write, prove, dispatch, run, prove again, read."""

from __future__ import annotations

from typing import Any

from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.utils import RunEngineControlException

from campaigns.errors import (
    BusyError,
    LabError,
    NotReservedError,
    ReservationLostError,
    StepError,
    UnknownJobError,
)
from campaigns.values import Scalar
from instruments.job import Job, LoadMember
from instruments.job_instrument import NO_MATERIAL, JobInstrument
from instruments.patience import Patience
from instruments.plan_runner import Plan, contained
from instruments.proof import agrees, proven
from instruments.step_errors import is_silence

EVENTS = 1
"""Events of a complete run."""
STREAM = "primary"
"""Name of the stream that has it."""


def perform(instrument: JobInstrument, job: Job) -> Plan:
    """Run one job in one run with exactly one event.

    Nothing is ever rewound: a pause or a suspender inside the run ends it.

    Raises:
        LimitError: a setting lies outside its limits, or they cannot be read; nothing was moved.
        UnknownJobError: the job is to be adopted, but the instrument does not know it.
        StepError: a setting did not arrive, or the job did not do what its recipe says.
    """
    details = {
        **job.start,
        "plan_name": "perform",
        "instrument": instrument.name,
        "trial": job.trial,
        "step": job.step,
        "attempt": job.attempt,
        "token": job.token,
        "sample": job.sample,
        **({"load": [_of_member(one) for one in job.members]} if job.members else {}),
        "lab_time": instrument.clock.now(),
        "hints": {"dimensions": _dimensions(instrument)},
    }
    return (yield from bpp.run_wrapper(contained(_perform(instrument, job)), md=details))


def _of_member(member: LoadMember) -> dict[str, Scalar]:
    """Return what a run says of one sample of its load."""
    whose: dict[str, Scalar] = {"trial": member.trial, "attempt": member.attempt, "token": member.token}
    return {**whose, "sample": member.sample, "place": member.place}


def _dimensions(instrument: JobInstrument) -> list[tuple[list[str], str]]:
    """Return what a run's readings are functions of, as Bluesky wants to have it: the numeric settings, else time."""
    numbers = [key for key in instrument.settings if key not in instrument.texts]
    return [([getattr(instrument, key).name], STREAM) for key in numbers] or [(["time"], STREAM)]


def _perform(instrument: JobInstrument, job: Job) -> Plan:
    yield from bps.clear_checkpoint()
    if not job.adopt:
        yield from _prepare(instrument, job)
    patience = Patience(instrument, job)
    yield from _follow(instrument, job, patience)
    try:
        yield from _read(instrument, job, patience)
    except NotReservedError as error:
        raise ReservationLostError(str(error)) from error


def _follow(instrument: JobInstrument, job: Job, patience: Patience) -> Plan:
    """Start a job, or attach to it, and wait for its end; attach again by its token after the link was lost.

    Raises:
        UnknownJobError: the instrument does not know the job that it is to be at.
        ReservationLostError: the station of a shared laboratory is not this campaign's any more.
    """
    attach = job.adopt
    while True:
        try:
            if attach:
                _check_known(instrument, job)
            patience.answered()
            yield from bps.abs_set(instrument, job.token, timeout=patience.left, group="job")
            yield from bps.wait("job")
            yield from bps.trigger(instrument, wait=True)
        except Exception as error:
            if isinstance(error, NotReservedError) and instrument.has_job(job.token):
                raise ReservationLostError(str(error)) from error
            if not is_silence(error) or (pause := patience.pause(error)) is None:
                raise
            yield from bps.sleep(pause)
            attach = True
        else:
            return


def _check_known(instrument: JobInstrument, job: Job) -> None:
    if not instrument.has_job(job.token):
        raise UnknownJobError(
            f"{instrument.name} does not know job {job.token}; decide what became of sample {job.sample}"
        )


def _prepare(instrument: JobInstrument, job: Job) -> Plan:
    told = _loaded(instrument, job) if instrument.place_count > 1 else _single(instrument, job)
    try:
        instrument.check_ready()
    except BusyError:
        if not instrument.has_job(job.token):
            raise
        job.dispatch()  # it has begun this job already, of which the store, an earlier copy, knows nothing
        return
    for signal, value in told:
        yield from _write(signal, value)
    job.dispatch()


Told = list[tuple[Any, Scalar]]
"""Signals with what they are set to, in order."""


def _single(instrument: JobInstrument, job: Job) -> Told:
    """Return what an instrument is told for one sample."""
    header: dict[str, Scalar] = {
        "sample": job.sample,
        "material": job.material or NO_MATERIAL,
        "step": job.step,
        "attempt": job.attempt,
    }
    full = {**header, **instrument.with_defaults(job.recipe)}
    return [(getattr(instrument, key), value) for key, value in full.items()]


def _loaded(instrument: JobInstrument, job: Job) -> Told:
    """Return what an instrument is told for a load: once what all share, then each place, empty ones too."""
    recipes = {one.place: instrument.with_defaults({**job.recipe, **one.recipe}) for one in job.members}
    members, own = {one.place: one for one in job.members}, instrument.own_settings
    common = {key: value for key, value in recipes[job.members[0].place].items() if key not in own}
    told: Told = [(getattr(instrument, key), value) for key, value in {"step": job.step, **common}.items()]
    for number, place in instrument.numbered_places.items():
        if (member := members.get(number)) is None:
            told.append((place.sample, ""))
            continue
        header: dict[str, Scalar] = {
            "sample": member.sample,
            "material": member.material or NO_MATERIAL,
            "attempt": member.attempt,
            "token": member.token,
        }
        header |= {key: recipes[number][key] for key in own}
        told += [(getattr(place, key), value) for key, value in header.items()]
    return told


def _read(instrument: JobInstrument, job: Job, patience: Patience) -> Plan:
    """Prove that the job was done and read what it gave, again after an error of the link or the driver.

    Raises:
        LabError: the job did not do what its recipe says.
    """
    while True:
        yield from bps.create(STREAM)
        try:
            yield from proven(instrument, job)
            yield from bps.read(instrument)
        except (LabError, RunEngineControlException):
            raise
        except Exception as error:
            yield from bps.drop()
            if (pause := patience.pause(error)) is None:
                raise
            yield from bps.sleep(pause)
        else:
            yield from bps.save()
            patience.answered()
            return


def _write(signal: Any, value: Scalar) -> Plan:
    """Set a signal and read it back.

    Raises:
        StepError: what is read is not what was set.
    """
    yield from bps.abs_set(signal, value, group="settings")
    yield from bps.wait("settings")
    got = yield from bps.rd(signal)
    if not agrees(value, got):
        raise StepError(
            f"{signal.name} was set to {value!r} and reads {got!r}; nothing was started; look at the device"
        )
