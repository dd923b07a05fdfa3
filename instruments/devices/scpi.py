"""Instruments that speak SCPI over TCP or a serial line, as plain ophyd devices (SCPI-99, IEEE 488.2)."""

from __future__ import annotations

import re
import threading
from typing import Any

import pyvisa
from ophyd import Component, Device, Signal
from ophyd.status import Status

from campaigns.errors import StepError
from campaigns.values import Scalar

_NO_ERROR = re.compile(r"^[+-]?0\b")
"""What ``SYSTem:ERRor?`` answers when the queue is empty (SCPI-99, volume 2, 21.8)."""


class ScpiLine:
    """The line to one instrument: one question at a time, opened when it is needed, and again after it broke.

    Args:
        address: by VISA, such as TCPIP::192.168.0.7::5025::SOCKET or ASRL/dev/ttyUSB0::INSTR.
        timeout: wall time in seconds that an answer may take.
        settings: attributes of the pyvisa resource, such as ``baud_rate``.
    """

    def __init__(self, address: str, timeout: float, **settings: Any) -> None:
        self._address, self._timeout = address, timeout
        self._settings = {"read_termination": "\n", "write_termination": "\n", **settings}
        self._lock = threading.Lock()
        self._resource: Any = None
        self.answers = False

    def ask(self, question: str) -> str:
        """Return what the instrument answers.

        Raises:
            TimeoutError: it does not answer in time.
            ConnectionError: the line is broken.
        """
        return str(self._do(lambda resource: resource.query(question))).strip()

    def tell(self, command: str, *, checked: bool) -> None:
        """Send a command; ``checked``, ask the instrument whether it accepts it.

        Raises:
            StepError: it does not.
            TimeoutError: it does not answer in time.
            ConnectionError: the line is broken.
        """
        self._do(lambda resource: resource.write(command))
        if checked and not _NO_ERROR.match(said := self.ask("SYST:ERR?")):
            raise StepError(f"{self._address} refuses {command!r}: {said}")

    def close(self) -> None:
        """Close the line."""
        with self._lock:
            self._close()

    def _do(self, action: Any) -> Any:
        with self._lock:
            try:
                found = action(self._opened())
            except pyvisa.errors.VisaIOError as error:
                self._close()
                late = error.error_code == pyvisa.constants.StatusCode.error_timeout
                kind = TimeoutError if late else ConnectionError
                raise kind(f"{self._address}: {error.description}") from error
            except OSError as error:
                self._close()
                raise ConnectionError(f"{self._address}: {error}") from error
            self.answers = True
            return found

    def _opened(self) -> Any:
        if self._resource is None:
            self._resource = pyvisa.ResourceManager("@py").open_resource(self._address)
            self._resource.timeout = 1000 * self._timeout
            for key, value in self._settings.items():
                setattr(self._resource, key, value)
        return self._resource

    def _close(self) -> None:
        self.answers = False
        if self._resource is not None:
            resource, self._resource = self._resource, None
            resource.close()


class ScpiDevice(Device):
    """An instrument on a line; a subclass has components of the class ``ScpiSignal``.

    Args:
        prefix: the instrument's address by VISA.
        timeout: wall time in seconds that an answer may take.
        checked: whether the instrument is asked after each command whether it accepts it (``SYST:ERR?``).
        line: attributes of the pyvisa resource, such as ``{baud_rate: 9600}``.
    """

    identity = Component(Signal, value="", kind="config")

    def __init__(
        self,
        prefix: str = "",
        *,
        name: str,
        timeout: float = 5.0,
        checked: bool = True,
        line: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.line, self.checked = ScpiLine(prefix, timeout, **(line or {})), checked
        super().__init__(prefix, name=name, **kwargs)

    @property
    def connected(self) -> bool:
        """Whether the instrument has answered the last time."""
        return self.line.answers

    def wait_for_connection(self, timeout: float = 2.0, **_: Any) -> None:  # noqa: ARG002 - the line has its own
        """Ask who is there.

        Raises:
            TimeoutError: nobody answers.
        """
        try:
            self.identity.put(self.line.ask("*IDN?"))
        except OSError as error:
            raise TimeoutError(str(error)) from error


class ScpiSignal(Signal):
    """A value that is asked for by ``COMMAND?``, and set by ``COMMAND value``.

    Args:
        command: such as SOUR:TEMP.
        unit: unit of the value; empty for text.
        settable: whether it can be set.
    """

    def __init__(self, *, command: str, unit: str = "", settable: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._command, self.unit, self._settable = command, unit, settable

    def get(self, **_: Any) -> Scalar:
        """Return what the instrument answers: a number where there is a unit, else text."""
        said = self.parent.line.ask(f"{self._command}?")
        value = float(said) if self.unit else said.strip('"')
        super().put(value, force=True)
        return value

    def put(self, value: Any, **_: Any) -> None:
        """Send a value.

        Raises:
            StepError: the instrument refuses it, or it cannot be set.
        """
        if not self._settable:
            raise StepError(f"{self.name} can be read alone")
        self.parent.line.tell(f"{self._command} {value}", checked=self.parent.checked)

    def set(self, value: Any, **_: Any) -> Status:
        """Send a value and return a finished status: where it has arrived, the readback tells."""
        self.put(value)
        status = Status(self)
        status.set_finished()
        return status

    def describe(self) -> dict[str, Any]:
        """Return the data key, with the unit."""
        self.get()
        found: dict[str, Any] = super().describe()
        if self.unit:
            found[self.name]["units"] = self.unit
        return found
