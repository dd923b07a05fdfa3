"""A station: the sole owner of one instrument, and of the RunEngine that drives it in a thread of its own."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from bluesky.run_engine import RunEngine
from bluesky.utils import DuringTask, FailedStatus

from campaigns.errors import AthanorError, LabError, SampleError, StepError
from campaigns.values import Cause
from instruments.clock import Clock, Party
from instruments.job import Job, StepResult
from instruments.job_instrument import JobInstrument
from instruments.plan_runner import abort_plan, end_engine
from instruments.plans import EVENTS, perform
from instruments.status import LabWait

OnDocument = Callable[[Job, str, dict[str, Any]], None]
Done = Callable[[StepResult], None]
POLL = 0.05
"""Wall time in seconds between two looks at a running plan."""


class RunningJob:
    """A job under way: what is known of it, and its result, which is delivered once."""

    def __init__(self, job: Job, done: Done, clock: Clock, key: str) -> None:
        self.job = dataclasses.replace(job, dispatch=self._dispatch)
        self.abort_reason: str | None = None
        self.party = Party(clock)
        self.original, self._done, self._clock, self._key = job, done, clock, key
        self._dispatched = job.adopt
        self._started = clock.now()
        self._uid: str | None = None
        self._events = 0
        self._exit_status = "no stop document"
        self._lock = threading.Lock()
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the result has been delivered."""
        return self._ended

    def record(self, name: str, document: dict[str, Any]) -> None:
        """Take note of a document.

        Raises:
            StepError: the job's result has been delivered already.
        """
        if self._ended:
            raise StepError(f"job {self.job.token} was given up; its {name} document comes too late")
        if name == "start":
            self._uid = document["uid"]
        elif name == "event":
            self._events += 1
        elif name == "stop":
            self._exit_status = document["exit_status"]

    def shortcoming(self) -> str | None:
        """Return what the documents lack for proof of success; None when nothing."""
        if self._exit_status == "success" and self._events == EVENTS:
            return None
        return f"the run ended as {self._exit_status} with {self._events} of {EVENTS} events"

    def deliver(self, error: str | None, cause: Cause = Cause.LAB) -> None:
        """Hand over the result through the clock, unless that was done before; ``cause`` is that of an error."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        ok, now = error is None, self._clock.now()
        blamed = None if ok else cause
        result = StepResult(self.original, ok, error, self._dispatched, self._uid, self._started, now, blamed)
        self._clock.post(lambda: self._done(result), self._key)
        self.party.end()

    def _dispatch(self) -> None:
        if self._ended or self.abort_reason is not None:
            raise StepError(f"job {self.job.token} was given up before anything moved: {self.abort_reason}")
        self.original.dispatch()
        self._dispatched = True


class Watchdog(DuringTask):
    """What a station's thread does while its RunEngine runs: abort on request, and notice a driver that is stuck.

    A plan is stuck when it has been at work for longer than ``patience`` seconds of wall time without a new message.
    It is aborted then; when that does not help either, its job is given up and the station is lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lost = False

    def begin(self, engine: RunEngine, task: RunningJob, patience: float) -> None:
        """Prepare for the next plan."""
        self._engine, self._task, self._patience = engine, task, patience
        self._aborting = False
        self.progress()

    def progress(self, *_: Any) -> None:
        """Take note that the plan has got on."""
        self._since = time.monotonic()

    def block(self, blocking_event: threading.Event) -> None:
        """Wait until the plan has ended."""
        while not blocking_event.wait(POLL):
            if not self.lost:
                self._look()

    def _look(self) -> None:
        idle = time.monotonic() - self._since
        stuck = self._task.party.at_work and idle > self._patience
        if stuck and self._aborting:
            self.lost = True
            self._task.deliver(f"StepError: the driver blocks its station, for {idle:.1f} s and more; restart it")
        elif stuck:
            self._abort(f"no progress for {idle:.1f} s of wall time")
        elif self._task.abort_reason is not None and not self._aborting and self._engine.state == "running":
            self._abort(self._task.abort_reason)

    def _abort(self, reason: str) -> None:
        """Ask the RunEngine to abort, in a thread: the request itself blocks for as long as a driver does."""
        self._aborting = True
        self._task.abort_reason = reason
        self.progress()
        threading.Thread(target=abort_plan, args=(self._engine, reason), name="abort", daemon=True).start()


class Station:
    """The sole owner of one instrument and of one RunEngine. It does one job at a time.

    Args:
        name: name of the station.
        instrument: what stands there.
        clock: the lab's clock.
        on_document: called with every document in the RunEngine's thread; what it raises fails the run.
        backstop: wall time in seconds that a plan may take for anything but waiting for lab time.
    """

    def __init__(
        self, name: str, instrument: JobInstrument, clock: Clock, on_document: OnDocument, *, backstop: float = 120.0
    ) -> None:
        self.name = name
        self._instrument, self._clock, self._on_document, self._backstop = instrument, clock, on_document, backstop
        self._task: RunningJob | None = None
        self._inbox: queue.SimpleQueue[RunningJob | None] = queue.SimpleQueue()
        self._watch = Watchdog()
        self._engine = RunEngine({}, context_managers=[], during_task=self._watch)
        self._engine.msg_hook = self._watch.progress
        self._thread = threading.Thread(target=self._run, name=f"station-{name}", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether a driver has blocked the station, so that it must not be used again."""
        return self._watch.lost

    @property
    def busy(self) -> bool:
        """Whether a job is under way, or its result still to be handed over."""
        return self._task is not None

    def submit(self, job: Job, done: Done) -> None:
        """Begin a job and return at once; ``done`` is posted on the clock when the job has ended.

        Raises:
            LabError: the station is busy or lost.
        """
        if self.busy or self.lost:
            state = "lost" if self.lost else "busy"
            raise LabError(f"station {self.name} is {state}; allowed: one job at a time on a station that answers")

        def hand_over(result: StepResult) -> None:
            self._task = None
            done(result)

        self._task = RunningJob(job, hand_over, self._clock, self.name)
        self._inbox.put(self._task)

    def abort(self, reason: str) -> None:
        """Give up the job under way, if any; returns at once. What the instrument has begun, it goes on with."""
        if (task := self._task) is not None:
            task.abort_reason = reason

    def describe(self) -> str:
        """Return what the station does now, for people; answers at once."""
        if self.lost:
            return "lost: a driver blocks it"
        if (task := self._task) is None:
            return "idle"
        return f"{task.job.step} trial {task.job.trial}: {self._instrument.progress()}"

    def close(self) -> None:
        """Abort the job under way, and end the threads unless a driver blocks them."""
        self.abort(f"station {self.name} is closed")
        self._inbox.put(None)
        while self._thread.is_alive() and not self.lost:
            self._thread.join(POLL)

    def _run(self) -> None:
        self._engine.subscribe(self._record)
        for task in iter(self._inbox.get, None):
            self._watch.begin(self._engine, task, self._clock.wall_time(task.job.timeout) + self._backstop)
            task.deliver(*self._attempt(task))
        end_engine(self._engine)

    def _attempt(self, task: RunningJob) -> tuple[str | None, Cause]:
        """Run a job's plan; return why it failed, or None, and what such a failure speaks of."""
        self._engine.waiting_hook = LabWait(task.party)
        try:
            self._engine(perform(self._instrument, task.job))
        except BaseException as error:  # noqa: BLE001  dispatch: a driver may raise anything; it costs this job only
            reason = f"aborted: {task.abort_reason}" if task.abort_reason else reason_of(error)
            return reason, Cause.SAMPLE if isinstance(root_of(error), SampleError) else Cause.LAB
        return task.shortcoming(), Cause.LAB

    def _record(self, name: str, document: dict[str, Any]) -> None:
        if (task := self._task) is None:
            raise StepError(f"station {self.name} got a {name} document that belongs to no job")
        task.record(name, document)
        self._on_document(task.original, name, document)


def root_of(error: BaseException) -> BaseException:
    """Return an error; of a failed status, that which it failed with."""
    return error.__cause__ if isinstance(error, FailedStatus) and error.__cause__ else error


def reason_of(error: BaseException) -> str:
    """Return an error's message, with its name where that is not one of ours; of a failed status, that of its cause."""
    cause = root_of(error)
    return str(cause) if isinstance(cause, AthanorError) else f"{type(cause).__name__}: {cause}"
