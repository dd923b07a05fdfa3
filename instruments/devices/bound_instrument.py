"""Plain ophyd devices as a job instrument: a file on disk remembers the job that devices know nothing of."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ophyd import Component
from ophyd.device import create_device_from_components
from ophyd.utils import LimitError as DeviceLimitError

from campaigns.errors import BusyError, LabError, PlanError, SampleError, StepError, UnknownJobError
from campaigns.values import Scalar
from instruments.clock import Clock
from instruments.devices.setpoint import BoundSetpoint
from instruments.event_columns import columns, ends_of_places, placed_columns
from instruments.job_instrument import PLAN_FAILED, SAMPLE_FAILED, JobInstrument, Quantity
from instruments.job_memory import JobMemory, as_json
from instruments.limits import Limits
from instruments.load_samples import load_samples
from instruments.places import told_values
from instruments.plan_runner import Plan, PlanRunner, is_refusal
from instruments.status import LabStatus
from instruments.step_errors import is_silence, reason_of, root_of

UNKNOWN = "unknown"
"""State of a station after a job of which nobody can tell how far it came: the trial becomes uncertain."""
_STOPPING = 10.0
"""Wall time in seconds that devices have to stop, and a plan to clean up, when a job is given up."""


@dataclass(frozen=True)
class Binding:
    """What stands at a station.

    Attributes:
        devices: name to device.
        setpoints: name to what a recipe sets, in the order in which it is set.
        units: of readings that state none, by name.
        plan: from the recipe of a job, and from its token and its sample, or samples, to what is done.
        runner: runs it.
    """

    devices: Mapping[str, Any]
    setpoints: Mapping[str, BoundSetpoint]
    plan: Callable[[Mapping[str, Scalar], Mapping[str, Any]], Plan]
    units: Mapping[str, str] = field(default_factory=dict)
    runner: PlanRunner = field(default_factory=PlanRunner)


class BoundInstrument(JobInstrument):
    """A station whose devices know no jobs.

    A job is written to disk before anything moves, and its outcome before it is reported, unless the disk is full
    then. A job that was cut short, by the end of the controller, is never begun again: nobody can tell what its sample
    has seen.
    """

    answers_later = False

    def __init__(
        self, prefix: str = "", *, name: str, clock: Clock, binding: Binding, memory: JobMemory, **more: Any
    ) -> None:
        super().__init__(prefix, name=name, clock=clock, **more)
        self.binding, self._memory = binding, memory
        self._record: dict[str, Any] = {}
        self._origin, self._began = time.time() - time.monotonic(), 0.0
        self._worker: threading.Thread | None = None
        self._prepared = False
        for key, setpoint in binding.setpoints.items():
            for one in (self, *(self.numbered_places.values() if key in self.own else ())):
                getattr(one, key).unit = setpoint.unit

    @classmethod
    def of(cls, binding: Binding) -> type[BoundInstrument]:
        """Return the class of the instruments that have these settings."""
        found = {
            key: Component(Quantity, value="" if one.choices else 0.0, choices=one.choices)
            for key, one in binding.setpoints.items()
        }
        made: type[BoundInstrument] = create_device_from_components(cls.__name__, base_class=cls, **found)
        made.settings = tuple(binding.setpoints)
        made.texts = frozenset(key for key, one in binding.setpoints.items() if one.choices)
        return made

    @property
    def limits(self) -> Limits:
        """What the settings may be, asked of the devices now."""
        numbers = {key: one.limits for key, one in self.binding.setpoints.items() if not one.choices}
        return Limits(self.name, numbers, {k: one.choices for k, one in self.binding.setpoints.items() if one.choices})

    def unit_of(self, setting: str) -> str:
        """Return the unit of a numeric setting.

        Raises:
            LimitError: there is no such setting, or its device states another unit than the campaign file.
        """
        super().unit_of(setting)
        return self.binding.setpoints[setting].unit or "1"

    def check_units(self) -> dict[str, str]:
        """Return signal to the unit that it states, of those that state one.

        Raises:
            LimitError: a device states another unit than the campaign file.
        """
        keys = (self._described(device) for device in self.binding.devices.values())
        stated = {key: str(one.get("units") or "") for found in keys for key, one in found.items()}
        known = {key.removeprefix(f"{self.name}_"): unit for key, unit in stated.items() if unit}
        return {**super().check_units(), **known, **self.binding.units}

    def has_job(self, token: str) -> bool:
        """Return whether the job was begun here at any time."""
        return self._memory.find(token) is not None

    def remember_in(self, folder: Path) -> None:
        """Remember jobs from now on below a folder; see ``JobInstrument.remember_in``."""
        self._memory.use(folder / self.name)

    def never_began(self, token: str) -> bool:
        """Return whether the job was never begun: it is remembered before anything moves."""
        return not self.has_job(token)

    def has_finished(self, token: str) -> bool:
        """Return whether it is known how the job ended."""
        record = self._memory.ended(token)
        return record is not None and record["state"] != UNKNOWN

    @property
    def hints(self) -> dict[str, Any]:
        """Return the settings, and what the devices hint at of what was read of them."""
        fields = [key for one in self.binding.devices.values() for key in getattr(one, "hints", {}).get("fields", ())]
        keys = self._record.get("keys", {})
        read = [key for name in fields for place in (0, *self.filled) if (key := self._placed(place, name)) in keys]
        return {"fields": [*super().hints["fields"], *read]}

    def documents(self, token: str) -> list[tuple[str, dict[str, Any]]]:
        """Return name and body of each document of what the devices did in a job, in order."""
        return self._memory.documents(token)

    def check_ready(self) -> None:
        """Check that a job may start: no other one is under way, and the devices answer and stand still.

        Raises:
            BusyError: a device is moving, or the disk has no room to remember the job.
            LabError: they do not answer.
        """
        super().check_ready()
        self._memory.check_room()
        if why := self.binding.runner.tripped():
            raise LabError(f"{self.name}: {why}; nothing was moved")
        for device in self.binding.devices.values():
            if not getattr(device, "connected", True):
                raise LabError(f"{self.name}: {device.name} does not answer; nothing was moved")
            if getattr(device, "moving", False) is True:
                raise BusyError(f"{self.name}: {device.name} is still moving; nothing was moved")
        self._prepared = True

    def start(self, token: str) -> None:
        """Start the job that the settings describe, or report what is remembered of it.

        Raises:
            UnknownJobError: the job was cut short when the controller ended.
            BusyError: another job is under way.
        """
        if self.token.get() == token and self.state.get() == "busy":
            return
        if self.state.get() == "busy":
            raise BusyError(f"{self.name} is at job {self.token.get()!r}; wait until it has ended")
        recipe = told_values(self)
        prepared, self._prepared = self._prepared, False
        if (record := self._memory.find(token)) is not None:
            if prepared and record.get("recipe", recipe) != recipe:
                raise UnknownJobError(
                    f"{self.name} remembers job {token} with another recipe ({record['recipe']}), as after an old "
                    "store was restored; nothing was moved"
                )
            self._recall(token, record)
            return
        self._memory.begin(token, recipe)
        self._began = self._now
        self.token.put(token, timestamp=self._began)
        for place in self.filled.values():
            place.state.put("busy")
            place.message.put("")
        self.state.put("busy")
        self._worker = threading.Thread(
            target=self._work, args=(token, recipe, self._details()), name=f"job-{self.name}", daemon=True
        )
        self._worker.start()

    def _details(self) -> dict[str, Any]:
        """Return what the start documents of the job say of it."""
        details = {"step": self.step.get(), "token": self.token.get(), "station": self.name}
        if self.place_count == 1:
            return {**details, "sample": self.sample.get(), "attempt": self.attempt.get()}
        keys = ("sample", "attempt", "token")
        load = [{**{k: getattr(p, k).get() for k in keys}, "place": number} for number, p in self.filled.items()]
        return {**details, "load": load}

    def _by_the_way(self) -> dict[str, Any]:
        """Return what a plan is given of the job beside its recipe, if it wants to have it."""
        if self.place_count == 1:
            return {"token": self.token.get(), "sample": self.sample.get()}
        return {"token": self.token.get(), "samples": load_samples(self)}

    def set(self, token: str, *, timeout: float) -> LabStatus:
        """Start the job ``token``, or report what is remembered of it; see ``JobInstrument.set``."""
        return super().set(token, timeout=timeout)

    def stop(self, *, success: bool = False) -> None:
        """Stop waiting; a job under way is given up, so that its devices stop and its plan cleans up."""
        super().stop(success=success)
        worker = self._worker
        if worker is not None and worker.is_alive() and self.state.get() == "busy":
            self.binding.runner.abort("the job was given up")
            worker.join(_STOPPING)

    def progress(self) -> str:
        """Return what the devices are doing, for people; answers at once."""
        state = str(self.state.get())
        return (self.binding.runner.doing or "running") if state == "busy" else state

    def read(self) -> dict[str, Any]:
        """Return the job and its settings, and what was read of the devices when it was done."""
        return {**super().read(), **self._record.get("readings", {})}

    def describe(self) -> dict[str, Any]:
        """Return the data keys of ``read``."""
        return {**super().describe(), **self._record.get("keys", {})}

    def close(self) -> None:
        """End the thread of the devices' RunEngine, and write down what could not be before, if that can be now."""
        self.binding.runner.close()
        with contextlib.suppress(OSError):
            self._memory.catch_up()

    def _recall(self, token: str, record: Mapping[str, Any]) -> None:
        if "readings" not in record and record["state"] in ("begun", UNKNOWN):
            why = record.get("message") or "the controller ended while the devices were at it"
            raise UnknownJobError(f"{self.name}: nobody can tell how far job {token} came: {why}; look at the devices")
        for key, value in record.get("recipe", {}).items():
            getattr(self, key).put(value)
        self.token.put(token, timestamp=record.get("began"))
        self._show(record)

    @property
    def _now(self) -> float:
        """Seconds since the epoch, by the system's clock as it was at first, should it have been set forward since.

        What a job has updated is later than its token by the clock of the devices' servers, which is not set with ours.
        """
        return min(time.time(), self._origin + time.monotonic())

    def _work(self, token: str, recipe: Mapping[str, Scalar], details: Mapping[str, Any]) -> None:
        """Do a job, remember what came of it, and only then say so."""
        runner = self.binding.runner
        documents: list[tuple[str, dict[str, Any]]] = []

        def keep(name: str, document: dict[str, Any]) -> None:
            documents.append((name, document))
            self._memory.add_document(token, name, document)

        shared = {key: value for key, value in recipe.items() if key in self.settings}
        try:
            runner.run(self.binding.plan(shared, self._by_the_way()), keep, details)
            record = self._done(documents)
        except BaseException as error:  # noqa: BLE001  whatever a device or a plan raises is this job's alone
            record = self._failure(error)
        if record["state"] in ("fault", PLAN_FAILED) and not runner.moved:
            self._memory.forget(token)
        else:
            self._memory.end(token, {**record, "recipe": dict(recipe), "began": self._began})
        self._show(json.loads(as_json(record)))

    def _show(self, record: Mapping[str, Any]) -> None:
        self._record = dict(record)
        for number, (state, message) in record.get("places", {}).items():
            self.place(int(number)).message.put(message)
            self.place(int(number)).state.put(state)
        self.message.put(str(record.get("message", "")))
        self.state.put(record["state"])

    def _failure(self, error: BaseException) -> dict[str, Any]:
        """Return what is to be remembered of a job that failed: how, or that nobody can tell how far it came."""
        cause, runner = root_of(error), self.binding.runner
        reason = f"aborted: {runner.reason}" if runner.reason else reason_of(error)
        if isinstance(cause, PlanError) and not runner.moved and not runner.reason:
            return {"state": PLAN_FAILED, "message": reason}
        if isinstance(cause, SampleError) and self.place_count == 1:  # of a load, nobody can tell which one it is
            return {"state": SAMPLE_FAILED, "message": reason}
        known = isinstance(cause, LabError | DeviceLimitError) and not isinstance(cause, PlanError)
        refused = known or is_refusal(error)
        clear = not runner.moved or (refused and not is_silence(cause) and self._connected())
        return {"state": "fault" if clear and not runner.reason else UNKNOWN, "message": reason}

    def _connected(self) -> bool:
        return all(getattr(device, "connected", True) for device in self.binding.devices.values())

    def _done(self, documents: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
        """Return what is to be remembered of a plan that ended well: its readings, if they prove what was done."""
        numbers = [*self.filled]
        try:
            found = placed_columns(documents, numbers) if self.place_count > 1 else {0: columns(documents)}
        except StepError as error:
            return {"state": UNKNOWN, "message": str(error)}
        read = [(place, *one) for place, (readings, _) in found.items() for one in readings.items()]
        keys = [(place, *one) for place, (_, keys) in found.items() for one in keys.items()]
        return {
            "state": "done",
            "readings": {self._placed(place, name): one for place, name, one in read},
            "keys": {self._placed(place, name): self._with_unit(name, one) for place, name, one in keys},
            "places": {str(number): end for number, end in ends_of_places(documents, numbers).items()},
        }

    def _placed(self, place: int, name: str) -> str:
        """Return a reading's name, of the whole load or of a place."""
        key = self._key(name)
        return f"{self.name}_place{place}_{key.removeprefix(f'{self.name}_')}" if place else key

    def _with_unit(self, name: str, key: Mapping[str, Any]) -> dict[str, Any]:
        units = key.get("units") or self.binding.units.get(self._key(name).removeprefix(f"{self.name}_"))
        return {**key, "units": units} if units else dict(key)

    def _key(self, name: str) -> str:
        """Return a reading's name with the station's in front."""
        return name if name.startswith(f"{self.name}_") else f"{self.name}_{name}"

    def _described(self, device: Any) -> dict[str, Any]:
        return {self._key(key): one for key, one in self.binding.runner.ask(device.describe()).items()}
