"""A station: the sole owner of one instrument, and of the RunEngine that drives it in a thread of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bluesky.run_engine import RunEngine
from bluesky.utils import DuringTask

from campaigns.errors import (
    BusyError,
    LabError,
    LateError,
    NotReservedError,
    PlanError,
    ReservationLostError,
    SampleError,
    StepError,
)
from campaigns.values import Cause
from instruments.clock import Clock, Party
from instruments.job import Fate, Job, StepResult
from instruments.job_instrument import SAMPLE_FAILED, JobInstrument
from instruments.plan_runner import abort_plan, contain_exits, end_engine
from instruments.plans import EVENTS, perform
from instruments.status import LabWait
from instruments.step_errors import is_silence, reason_of, root_of

OnDocument = Callable[[Job, str, dict[str, Any]], None]
Done = Callable[[StepResult], None]
POLL = 0.05
"""Wall time in seconds between two looks at a running plan."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed, what that speaks of, what the instrument says of the job, and how; see ``StepResult``."""

    reason: str
    cause: Cause = Cause.LAB
    fate: Fate = Fate.UNKNOWN
    busy: bool = False
    refused: bool = False
    mistaken: bool = False


_NONE = Failure("", fate=Fate.OVER)


class Question:
    """Something that an instrument is asked between two jobs; the answer is posted on the clock, None where it fails.

    Args:
        ask: asks it, in the station's thread.
        done: takes the answer in the clock's thread, on which it is at work until it leaves.
    """

    def __init__(self, ask: Callable[[], bool], done: Callable[[bool | None], None], clock: Clock, key: str) -> None:
        self._ask, self._done, self._clock, self._key = ask, done, clock, key
        self._party = Party(clock)

    def answer(self) -> None:
        """Ask, and hand over the answer."""
        answer: bool | None = None
        with contextlib.suppress(BaseException):  # a driver may raise anything: then there is no answer
            answer = self._ask()
        self._clock.post(lambda: self._done(answer), self._key)
        self._party.end()


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

    def deliver(self, failure: Failure | None) -> None:
        """Hand over the result through the clock, unless that was done before; without a failure it is a success."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        ok, now, blamed = failure is None, self._clock.now(), failure or _NONE
        result = StepResult(
            self.original,
            ok,
            None if ok else blamed.reason,
            self._dispatched,
            self._uid,
            self._started,
            now,
            None if ok else blamed.cause,
            blamed.fate,
            blamed.busy,
            blamed.refused,
            blamed.mistaken,
        )
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
        if not self._task.party.at_work:
            self.progress()  # however long others held up lab time, of which it waits for some
        idle = time.monotonic() - self._since
        stuck = idle > self._patience
        if stuck and self._aborting:
            self.lost = True
            blocked = f"StepError: the driver blocks its station, for {idle:.1f} s and more; restart it"
            self._task.deliver(Failure(blocked))
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
        self._inbox: queue.SimpleQueue[RunningJob | Question | None] = queue.SimpleQueue()
        self._asked = False
        self._watch = Watchdog()
        self._engine = contain_exits(RunEngine({}, context_managers=[], during_task=self._watch))
        self._engine.msg_hook = self._watch.progress
        self._thread = threading.Thread(target=self._run, name=f"station-{name}", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether a driver has blocked the station, so that it must not be used again."""
        return self._watch.lost

    @property
    def busy(self) -> bool:
        """Whether a job is under way, or its result still to be handed over, or something else to be answered."""
        return self._task is not None or self._asked

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

    def ask(self, question: Callable[[JobInstrument], bool], done: Callable[[bool | None], None]) -> None:
        """Ask the instrument something, and return at once; the station is busy until it has answered.

        Args:
            question: asks it, in the station's thread, as a link may be slow.
            done: called on the clock with the answer, None where there is none; it is at work there until it leaves.
        """
        self._asked = True

        def hand_over(answer: bool | None) -> None:
            self._asked = False
            done(answer)

        self._inbox.put(Question(lambda: question(self._instrument), hand_over, self._clock, self.name))

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
        doing = "disconnected" if self._instrument.silence else self._instrument.progress()
        return f"{task.job.step} {task.job.whose}: {doing}"

    def close(self) -> None:
        """Abort the job under way, and end the threads unless a driver blocks them."""
        self.abort(f"station {self.name} is closed")
        self._inbox.put(None)
        while self._thread.is_alive() and not self.lost:
            self._thread.join(POLL)

    def _run(self) -> None:
        self._engine.subscribe(self._record)
        while (task := self._inbox.get()) is not None:
            if isinstance(task, Question):
                task.answer()
                continue
            self._watch.begin(self._engine, task, self._clock.wall_time(task.job.timeout) + self._backstop)
            task.deliver(self._attempt(task))
        end_engine(self._engine)

    def _attempt(self, task: RunningJob) -> Failure | None:
        """Run a job's plan; return why it failed, or None."""
        self._engine.waiting_hook = LabWait(task.party)
        ends = self._clock.now() + task.job.timeout
        try:
            self._engine(perform(self._instrument, task.job))
        except BaseException as error:  # noqa: BLE001  dispatch: a driver may raise anything; it costs this job only
            reason = f"aborted: {task.abort_reason}" if task.abort_reason else reason_of(error)
            root, token = root_of(error), task.job.token
            if isinstance(root, BusyError):
                refused = isinstance(root, NotReservedError)
                fate = Fate.UNKNOWN if isinstance(root, ReservationLostError) else Fate.NEVER_BEGAN
                return Failure(reason, fate=fate, busy=True, refused=refused)
            fate = self._fate(token)
            if isinstance(root, PlanError):
                return Failure(reason, fate=fate, mistaken=True)
            unseen = isinstance(root, LateError) or (is_silence(root) and self._clock.now() >= ends)
            if unseen and fate is Fate.OVER and not task.job.adopt and self._ended_unseen():
                fate = Fate.UNDER_WAY  # so that it is collected
            return Failure(reason, Cause.SAMPLE if isinstance(root, SampleError) else Cause.LAB, fate)
        lacking = task.shortcoming()
        return None if lacking is None else Failure(lacking, fate=self._fate(task.job.token))

    def _fate(self, token: str) -> Fate:
        """Ask the instrument what became of a job that failed; in the station's thread, as a link may be slow."""
        try:
            if self._instrument.never_began(token):
                return Fate.NEVER_BEGAN
            if self._instrument.has_finished(token):
                return Fate.OVER
            if self._instrument.is_unattended(token):
                return Fate.UNDER_WAY
            return Fate.UNDER_WAY if self._instrument.is_at(token) else Fate.UNKNOWN
        except BaseException as error:  # noqa: BLE001  a driver may raise anything; nobody can tell, then
            return Fate.UNDER_WAY if is_silence(error) else Fate.UNKNOWN

    def _ended_unseen(self) -> bool:
        """Return whether a job that is over has not failed, so far as is known: its link was silent when it ended."""
        try:
            return str(self._instrument.state.get()) not in ("fault", SAMPLE_FAILED)
        except BaseException:  # noqa: BLE001  as above
            return True

    def _record(self, name: str, document: dict[str, Any]) -> None:
        if (task := self._task) is None:
            raise StepError(f"station {self.name} got a {name} document that belongs to no job")
        task.record(name, document)
        self._on_document(task.original, name, document)
