"""A RunEngine of its own for what a station's devices do in a job: it collects the documents and never rewinds."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from typing import Any

from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky import run_engine
from bluesky.run_engine import RunEngine
from bluesky.suspenders import SuspenderBase
from bluesky.utils import DuringTask, FailedStatus, Msg, RunEngineInterrupted, TransitionError

from campaigns.errors import StepError, raised_by
from instruments.run_context import OnDocument, RunContext

Plan = Generator[Msg, Any, Any]
_MOVING = frozenset({"set", "trigger", "prepare", "kickoff", "complete", "collect"})
"""Messages by which something may move, or be measured."""
_PATIENCE = 10.0
"""Wall time in seconds that a device may take to say what it is. Not tuned: that of ophyd-async itself."""


class PlanRunner:
    """Runs plans one after the other, each in the thread that asks for it.

    A pause, a suspender that trips, or an abort ends a plan: what it had begun is never repeated.

    Args:
        suspenders: let nothing start, or go on, while one of them has tripped.
        context: what the runs have in common with all others of the campaign.
    """

    def __init__(self, suspenders: Iterable[Any] = (), context: RunContext | None = None) -> None:
        self._context = context or RunContext()
        engine = RunEngine(
            {},
            context_managers=[],
            during_task=DuringTask(),
            scan_id_source=lambda _: self._context.scan_id(),
        )
        self._engine = contain_exits(engine)
        self._engine.msg_hook = self._note
        self._lock = threading.Lock()
        self._reason = ""
        self.moved = False
        self.doing = ""
        for suspender in suspenders:
            self._engine.install_suspender(suspender)

    def run(self, plan: Plan, on_document: OnDocument, details: Mapping[str, Any]) -> None:
        """Run a plan to its end.

        Args:
            plan: opens its runs itself.
            on_document: called with the name of each document and its body.
            details: go into the start document of each run.

        Raises:
            BaseException: what plan, device or Bluesky raise; ``moved`` says whether anything may have moved.
        """
        with self._lock:
            self.moved, self.doing, self._reason = False, "", ""
        try:
            whole: Any = _without_rewinding(plan)
            whole.__name__ = getattr(plan, "__name__", "")  # which start documents state
            about = {**self._context.start, **details}  # of the campaign that the job is for: several may share the lab
            self._engine(whole, [on_document, self._context.publish], **about)
        except RunEngineInterrupted:
            self._reason = self._reason or self.tripped() or "the plan was paused, and nobody resumes it"
            raise
        finally:
            if not self._engine.state.is_idle:
                self._engine.abort("nobody resumes a plan")

    def ask(self, given: Any, patience: float = _PATIENCE) -> Any:
        """Return what a device gives at once, or, one of ophyd-async, on its loop, from which this may not be called.

        Raises:
            TimeoutError: it takes longer than ``patience`` seconds of wall time.
        """
        if not inspect.isawaitable(given):
            return given
        return asyncio.run_coroutine_threadsafe(_awaited(given), self._engine.loop).result(patience)

    def tell(self, action: Callable[[], Any]) -> None:
        """Do something on the engine's loop, where devices of ophyd-async act; returns at once."""

        async def act() -> None:
            if inspect.isawaitable(found := action()):
                await found

        asyncio.run_coroutine_threadsafe(act(), self._engine.loop)

    @property
    def reason(self) -> str:
        """Why the plan was interrupted; empty if it was not."""
        return self._reason

    def abort(self, reason: str) -> None:
        """Let the plan clean up and end, and stop what it moves; returns at once."""
        self._reason = reason
        threading.Thread(target=abort_plan, args=(self._engine, reason), name="abort", daemon=True).start()

    def filtered(self, preprocessor: Callable[[Plan], Plan]) -> Callable[[], None]:
        """Let all plans from now on pass through a preprocessor; return what takes it away again."""
        self._engine.preprocessors.append(preprocessor)
        return lambda: self._engine.preprocessors.remove(preprocessor)

    def tripped(self) -> str:
        """Return why a suspender lets nothing start; empty if none does."""
        found = [one.get_futures() for one in self._engine.suspenders if one.tripped]
        return "; ".join(why or "a suspender has tripped" for futures, why in found if futures)

    def close(self) -> None:
        """End the engine's thread."""
        end_engine(self._engine)

    def told(self) -> None:
        """Take note that a part is told something without a message, if a plan's code does that between its messages.

        What threads of drivers tell by themselves, such as a sign of life, is nothing that the plan has done.
        """
        self.moved |= threading.current_thread() is self._engine._th  # the RunEngine offers no other way

    def _note(self, message: Msg) -> None:
        name = getattr(message.obj, "name", "")
        if message.command in _MOVING:
            self.moved = True
            self.doing = f"{message.command} {name} {' '.join(map(str, message.args))}".strip()


def contain_exits(engine: RunEngine) -> RunEngine:
    """Let a device that exits Python fail as one that raises any other error; return the engine.

    It would else end the thread of the engine's loop, and whoever has called the engine would wait for ever. What the
    engine prints for somebody at a prompt of its own goes to Bluesky's log, as nobody sits at one.
    """
    vars(run_engine)["print"] = _log_instead  # the RunEngine offers no other way
    for name, command in engine._command_registry.items():  # the RunEngine offers no other way to its own commands
        engine.register_command(name, _without_exit(command))
    return engine


def _log_instead(*words: object, **_: Any) -> None:
    run_engine.logger.info(" ".join(map(str, words)))


async def _awaited(given: Awaitable[Any]) -> Any:
    return await given


def _without_exit(command: Callable[[Msg], Awaitable[Any]]) -> Callable[[Msg], Awaitable[Any]]:
    @functools.wraps(command)
    async def contained(message: Msg) -> Any:
        try:
            return await command(message)
        except (SystemExit, KeyboardInterrupt) as error:
            raise StepError(f"{getattr(message.obj, 'name', message.command)}: {_exit_text(error)}") from error

    return contained


def contained(plan: Plan) -> Plan:
    """Yield what a plan yields; where its own code exits Python, that is an error as any other.

    Raises:
        StepError: it exits.
    """
    try:
        return (yield from plan)
    except (SystemExit, KeyboardInterrupt) as error:
        raise StepError(_exit_text(error)) from error


def _exit_text(error: BaseException) -> str:
    return f"its driver raised {raised_by(error)}"


def abort_plan(engine: RunEngine, reason: str) -> None:
    """Abort the engine's plan, unless it has ended by itself meanwhile."""
    with contextlib.suppress(TransitionError):
        engine.abort(reason)


def end_engine(engine: RunEngine) -> None:
    """End the thread of the engine's loop; one that a driver holds up is left to the end of the process."""
    engine.loop.call_soon_threadsafe(engine.loop.stop)
    engine._th.join(_PATIENCE)  # the RunEngine offers no other way
    if not engine._th.is_alive():
        engine.loop.close()


def is_suspender(found: object) -> bool:
    """Return whether an object can be installed in a RunEngine as a suspender."""
    return isinstance(found, SuspenderBase)


def is_refusal(error: BaseException) -> bool:
    """Return whether a plan failed because a device ended what it was told to do as failed."""
    return isinstance(error, FailedStatus)


def _without_rewinding(plan: Plan) -> Plan:
    """Return a plan without checkpoints, from which Bluesky would repeat what was done since."""
    yield from bps.clear_checkpoint()
    kept = bpp.msg_mutator(contained(plan), lambda message: None if message.command == "checkpoint" else message)
    return (yield from kept)
