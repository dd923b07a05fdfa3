"""A session's line to the lab process: it is opened again whenever it is lost, as long as the session lasts."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from campaigns.errors import LabError
from instruments.devices.question_line import ANSWERING, LineLostError, QuestionLine
from instruments.run_context import RunContext
from instruments.step_errors import reason_of
from loop.execution.shared_lab import messages
from loop.execution.shared_lab.messages import CampaignStatus, Handshake, Member, Purpose
from loop.execution.shared_lab.socket_file import connected, opened_line

_AGAIN = 0.25
"""Wall time in seconds between two attempts to reach a lab process that is away."""


def absent_text(lab_file: Path) -> str:
    """Return what people are told while there is no lab process."""
    return f"the lab process does not answer; 'athanor lab run {lab_file}' starts it again"


class LabLine(QuestionLine):
    """The line on which a session asks for one station's instrument.

    Args:
        lab_file: whose lab process serves it.
        handshake: says which campaign and station.
        context: numbers the runs of plans, and gets their documents.
    """

    _who = "the lab process"

    def __init__(self, lab_file: Path, handshake: Handshake, context: RunContext) -> None:
        super().__init__(ANSWERING, context)
        self._lab_file, self._handshake = lab_file, handshake
        self._socket: socket.socket | None = None

    def _open(self) -> tuple[Connection, Any]:
        try:
            self._socket = connected(self._lab_file)
        except OSError as error:
            raise LineLostError(absent_text(self._lab_file)) from error
        return opened_line(self._socket), self._handshake

    def _end_of(self) -> str:
        return "has ended, or was stopped"

    def _shut(self, *, at_once: bool) -> None:  # noqa: ARG002  nothing is waited for
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()


class CampaignLink:
    """Tells the lab process what a campaign waits for, and learns what it has.

    Args:
        lab_file: whose lab process it is.
        member: the campaign.

    Attributes:
        member: the same.
        status: what the campaign has, as it was told last; None while there is no line.
        changed: called, in another thread, with that before and now.
        on_news: called with what people are told.
        on_abort: called with a station, and why its job is to be given up.

    Raises:
        LabError: there is no lab process, or it refuses.
    """

    def __init__(self, lab_file: Path, member: Member) -> None:
        self._lab_file, self.member = lab_file, member
        self.status: CampaignStatus | None = None
        self.changed: Callable[[CampaignStatus | None, CampaignStatus | None], None] = lambda *_: None
        self.on_news: Callable[[str], None] = lambda _: None
        self.on_abort: Callable[[str, str], None] = lambda *_: None
        self._news = threading.Condition()
        self._ended = threading.Event()
        self._sent = 0
        try:
            self._open()
        except (OSError, EOFError) as error:
            raise LabError(absent_text(lab_file)) from error
        self._thread = threading.Thread(target=self._stay, name="lab", daemon=True)
        self._thread.start()
        threading.Thread(target=self._show_life, name="heartbeat", daemon=True).start()

    def send(self, name: str, *values: Any) -> int:
        """Say something, and return its number; 0 where there is nobody."""
        with self._news:
            if self.status is None:
                return 0
            try:
                self._line.send(("call", name, values))
            except OSError:
                return 0
            self._sent += 1
            return self._sent

    def await_taken(self, number: int, seconds: float) -> None:
        """Wait until the lab process has taken a message into account, for some time at most."""
        with self._news:
            self._news.wait_for(lambda: self.status is None or self.status.taken >= number, seconds)

    def close(self) -> None:
        """End the line."""
        self._ended.set()
        self._shut()
        self._thread.join()

    def _show_life(self) -> None:
        """Say now and then that the run is there, unless the lab process has still to hear what was said before."""
        while not self._ended.wait(messages.HEARTBEAT):
            if (now := self.status) is not None and now.taken >= self._sent:
                self.send("alive")

    def _open(self) -> None:
        """Open the line, and wait until it is known what the campaign has.

        Raises:
            OSError, EOFError: there is nobody.
            LabError: the lab process refuses.
        """
        self._socket = connected(self._lab_file)
        line = opened_line(self._socket)
        try:
            line.send(Handshake(Purpose.CAMPAIGN, self.member))
            first = _first(line)
        except BaseException:
            line.close()
            self._socket.close()
            raise
        with self._news:
            self._line, self._sent, self.status = line, 0, first

    def _stay(self) -> None:
        """Listen, and open the line again when it is lost, until the session has ended."""
        while not self._ended.is_set():
            self._listen()
            self._shut()
            self._line.close()
            self._set(None)
            if not self._ended.is_set():
                self.on_news(absent_text(self._lab_file))
            self._open_again()

    def _listen(self) -> None:
        """Take what is said until the line is lost, as it is where something cannot be understood."""
        while True:
            try:
                message = self._line.recv()
            except Exception:  # noqa: BLE001 - what unpickling raises
                return
            self._take(message)

    def _open_again(self) -> None:
        while not self._ended.wait(_AGAIN):
            try:
                self._open()
            except (OSError, EOFError):
                continue
            except Exception as error:  # noqa: BLE001 - it refuses, or cannot be understood
                self.on_news(reason_of(error))
                self._ended.wait(ANSWERING)
                continue
            self.on_news("the lab process is back")
            self.changed(None, self.status)
            return

    def _set(self, status: CampaignStatus | None) -> None:
        with self._news:
            before, self.status = self.status, status
            self._news.notify_all()
        self.changed(before, status)

    def _take(self, message: tuple[Any, ...]) -> None:
        match message:
            case ("status", CampaignStatus() as status):
                self._set(status)
            case ("news", text):
                self.on_news(text)
            case ("abort", station, reason):
                self.on_abort(station, reason)

    def _shut(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _first(line: Connection) -> CampaignStatus:
    """Return what a campaign has when it attaches.

    Raises:
        LabError: the lab process refuses.
    """
    while True:
        match line.recv():
            case ("error", error):
                raise error
            case ("status", CampaignStatus() as status):
                return status
