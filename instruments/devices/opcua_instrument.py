"""Instruments behind an OPC-UA server (IEC 62541): an object with a variable for each setting, reading and command."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from asyncua import ua
from asyncua.sync import Client

from campaigns.errors import StepError
from instruments.clock import Clock
from instruments.devices.polled_instrument import JobReport, PolledInstrument
from instruments.job import HEADER

_REFUSALS = (
    ua.uaerrors.BadNodeIdUnknown,
    ua.uaerrors.BadNotWritable,
    ua.uaerrors.BadOutOfRange,
    ua.uaerrors.BadTypeMismatch,
    ua.uaerrors.BadUserAccessDenied,
    ua.uaerrors.BadWriteNotSupported,
)
"""What a server says of a request that it understands; all else is said of the line, which is opened again."""


class OpcUaInstrument(PolledInstrument):
    """An instrument that a server shows as an object; a subclass has its ``settings`` and the signals that it reads.

    The object has variables by the names of settings and readings, ``token`` and ``state`` (idle, busy, done, fault,
    sample failed), ``command``, to which a token is written that begins the job, and, if it likes, ``message``,
    ``sample``, ``material``, ``step`` and ``attempt``. It remembers its last job.

    Args:
        url: of the server, such as opc.tcp://192.168.0.5:4840.
        node: of the object, such as ns=2;s=furnace.
        timeout: wall time in seconds that the server may take for an answer.
    """

    def __init__(
        self, prefix: str = "", *, name: str, clock: Clock, url: str, node: str, timeout: float = 5.0, **kwargs: Any
    ) -> None:
        super().__init__(prefix, name=name, clock=clock, **kwargs)
        self._url, self._node, self._timeout = url, node, timeout
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._variables: dict[str, Any] = {}

    def give(self, token: str, job: Mapping[str, Any]) -> None:
        """Write the settings, then the token; see ``PolledInstrument.give``."""
        self._do(lambda: self._write_all({**job, "command": token}))

    def ask(self, token: str) -> JobReport | None:
        """Return what the server says of its last job; see ``PolledInstrument.ask``."""
        return self._do(lambda: self._report_of(token))

    def never_began(self, token: str) -> bool:  # noqa: ARG002 - the server remembers one job alone
        """Return that nobody can rule out that a job was begun."""
        return False

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._disconnect()

    def _report_of(self, token: str) -> JobReport | None:
        if not token or self._variables["token"].read_value() != token:
            return None
        state = str(self._variables["state"].read_value())
        names = [name for name in self.component_names if name in self._variables and name not in HEADER]
        values = {name: self._variables[name].read_value() for name in names} if state == "done" else {}
        message = self._variables["message"].read_value() if "message" in self._variables else ""
        data = {name: value for name, value in values.items() if name not in ("token", "state", "message")}
        return JobReport(state, message=str(message), data=data)

    def _write_all(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self._write(name, value)

    def _write(self, name: str, value: Any) -> None:
        if name in self._variables:
            self._variables[name].write_value(value, self._variables[name].read_data_type_as_variant_type())
        elif name not in HEADER:
            raise StepError(f"{self.name}: {self._node} at {self._url} has no variable {name}")

    def _do(self, action: Callable[[], Any]) -> Any:
        with self._lock:
            try:
                self._connect()
                return action()
            except _REFUSALS as error:
                self._disconnect()
                raise StepError(f"{self.name}: {self._url} refuses: {error}") from error
            except (OSError, ua.UaError, TimeoutError) as error:
                self._disconnect()
                raise ConnectionError(f"{self._url}: {type(error).__name__} {error}".strip()) from error

    def _connect(self) -> None:
        if self._client is not None:
            return
        client = Client(self._url, timeout=self._timeout)
        try:
            client.connect()
        except BaseException:
            client.tloop.stop()
            raise
        self._client = client
        children = client.get_node(self._node).get_children()
        self._variables = {one.read_browse_name().Name: one for one in children}

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            client.disconnect()
        except (OSError, ua.UaError, TimeoutError):
            client.tloop.stop()
