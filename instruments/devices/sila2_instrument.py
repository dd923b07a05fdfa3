"""Instruments behind a SiLA 2 server: an observable command of a feature does a job, its execution is remembered."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from sila2.client import ClientObservableCommand, ClientObservableCommandInstance, SilaClient
from sila2.client.utils import call_rpc_function
from sila2.framework import (
    CommandExecutionNotFinished,
    DefinedExecutionError,
    InvalidCommandExecutionUUID,
    SilaConnectionError,
    SilaError,
)
from sila2.framework.constraints.unit import Unit

from campaigns.errors import StepError
from instruments.clock import Clock
from instruments.devices.polled_instrument import BUSY, JobReport, PolledInstrument
from instruments.job import HEADER
from instruments.job_instrument import SAMPLE_FAILED
from instruments.job_memory import JobMemory
from instruments.signal_units import agreed

_CONNECTING = 10.0
"""Least wall time in seconds for a connection, in which the library compiles features. Not tuned: it takes 0.3 s."""


class Sila2Instrument(PolledInstrument):
    """An instrument of a SiLA 2 server; a subclass has its ``settings`` and the signals that it reads.

    A job is one execution of an observable command. Its parameters are the settings, and ``Token``, ``Sample``,
    ``Material``, ``Step`` and ``Attempt`` where it has them; its responses are the readings. ``hold_time`` here is
    ``HoldTime`` there, unless ``identifiers`` says otherwise. The execution is remembered by its UUID, on disk, and
    found again by it.

    Args:
        job_memory: where executions are remembered.
        host, port: of the server.
        feature, command: identifiers, such as FurnaceController and Heat.
        certificate: file with the root certificate of the server, in PEM; none: those that the system trusts.
        insecure: whether to speak without encryption.
        timeout: wall time in seconds that the server may take for an answer.
    """

    remembers_jobs = False
    identifiers: ClassVar[Mapping[str, str]] = {}
    """Name of a setting or reading here to that of the parameter or response there, where it is not the same."""
    sample_errors: ClassVar[tuple[str, ...]] = ()
    """Identifiers of the defined execution errors that speak of the sample, not of the instrument."""

    def __init__(
        self,
        prefix: str = "",
        *,
        name: str,
        clock: Clock,
        job_memory: JobMemory,
        host: str,
        port: int,
        feature: str,
        command: str,
        certificate: str = "",
        insecure: bool = False,
        timeout: float = 10.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(prefix, name=name, clock=clock, **kwargs)
        self._memory, self._timeout = job_memory, timeout
        self._target, self._insecure = (host, port), insecure
        self._certificate = Path(certificate).read_bytes() if certificate else None
        self._feature, self._command_name = feature, command
        self._client: SilaClient | None = None
        self._executions: dict[str, ClientObservableCommandInstance[Any]] = {}
        self._worker = _Worker(name)

    def give(self, token: str, job: Mapping[str, Any]) -> None:
        """Execute the command; see ``PolledInstrument.give``."""
        self._within_time(lambda: self._execute(token, job))

    def ask(self, token: str) -> JobReport | None:
        """Return what the server says of the execution for a token; see ``PolledInstrument.ask``."""
        return self._within_time(lambda: self._report_of(token))

    def check_units(self) -> dict[str, str]:
        """Return signal to the unit that driver and server agree on; see ``JobInstrument.check_units``."""
        units, stated = super().check_units(), self._within_time(lambda: _units_of(self._command()))
        keys = {key: stated[self._identifier(key)] for key in self.component_names if self._identifier(key) in stated}
        return {**units, **{key: agreed(units.get(key, ""), unit, f"{self.name} {key}") for key, unit in keys.items()}}

    def has_job(self, token: str) -> bool:
        """Return whether the job was begun here at any time."""
        return self._memory.find(token) is not None

    def never_began(self, token: str) -> bool:
        """Return whether the job was never begun: it is remembered before the server is told."""
        return not self.has_job(token)

    def close(self) -> None:
        """Close the connection."""
        self._disconnect()
        self._worker.end()

    def _execute(self, token: str, job: Mapping[str, Any]) -> None:
        command = self._command()
        wanted = [field._identifier for field in _definition(command).parameters]
        told = {self._identifier(key): value for key, value in {"token": token, **job}.items()}
        if unknown := [key for key in job if key not in HEADER and self._identifier(key) not in wanted]:
            raise StepError(
                f"{self.name}: {self._command_name} has no parameter {self._identifier(unknown[0])}; "
                f"allowed: {', '.join(wanted)}"
            )
        self._memory.begin(token, job)
        try:
            execution = command(**{key: told[key] for key in wanted if key in told})
        except (SilaError, TypeError, ValueError) as error:  # what was sent, or not, began nothing
            self._memory.forget(token)
            raise StepError(f"{self.name}: {self._where} refuses: {_said(error)}") from error
        uuid = str(execution.execution_uuid)
        self._memory.end(token, {"state": "executed", "execution": uuid, "recipe": dict(job)})
        self._executions = {token: execution}

    def _report_of(self, token: str) -> JobReport | None:
        """Return what the server says of an execution; None if there is none, or it has forgotten it."""
        command = self._command()
        record = self._memory.find(token) if token else None
        if record is None or "execution" not in record:
            if record is not None:
                self._taken.add(token)  # told, but nobody heard the answer
            _client_of(command).SiLAService.ServerUUID.get()
            return None
        self._taken.add(token)
        if "values" in record:
            return JobReport("done", data=record["values"], settings=record["recipe"])
        try:
            values = _result(command, record["execution"])
        except CommandExecutionNotFinished:
            return JobReport(BUSY, progress=self._share(token, UUID(record["execution"]), command))
        except InvalidCommandExecutionUUID:
            return None
        except SilaError as error:
            known = isinstance(error, DefinedExecutionError) and error.identifier in self.sample_errors
            return JobReport(SAMPLE_FAILED if known else "fault", _said(error))
        data = {key: values[self._identifier(key)] for key in self._read_back(values)}
        self._memory.end(token, {**record, "values": data})
        return JobReport("done", data=data, settings=record["recipe"])

    def _read_back(self, values: Mapping[str, Any]) -> list[str]:
        return [
            key for key in self.component_names if key not in (*HEADER, "token") and self._identifier(key) in values
        ]

    def _identifier(self, key: str) -> str:
        camel = "".join(part[:1].upper() + part[1:] for part in re.split("_+", key))
        return self.identifiers.get(key, camel)

    def _share(self, token: str, uuid: UUID, command: ClientObservableCommand[Any, Any]) -> str:
        """Return how far an execution is, in per cent, where the server says so; it is followed from the first time."""
        if token not in self._executions:
            lifetime = timedelta(0)  # not known any more; the library warns if it is told a shorter one
            self._executions = {token: ClientObservableCommandInstance(_client_of(command), command, uuid, lifetime)}
        share = self._executions[token].progress
        return "" if share is None else f"{100 * share:.0f} %"

    def _command(self) -> ClientObservableCommand[Any, Any]:
        """Return the command of the connected server.

        Raises:
            StepError: it has no such feature, or command.
        """
        feature = getattr(self._client, self._feature, None)
        command = getattr(feature, self._command_name, None)
        if not isinstance(command, ClientObservableCommand):
            what = f"observable command {self._command_name}" if feature is not None else f"feature {self._feature}"
            raise StepError(f"{self.name}: {self._where} has no {what}")
        return command

    def _connect(self) -> None:
        host, port = self._target
        self._client = SilaClient(host, port, root_certs=self._certificate, insecure=self._insecure)

    @property
    def _where(self) -> str:
        return f"{self._target[0]}:{self._target[1]}"

    def _within_time(self, action: Callable[[], Any]) -> Any:
        """Do what needs the server.

        Raises:
            ConnectionError, TimeoutError: it does not answer.
        """
        if self._client is None:
            self._asked(self._connect, max(_CONNECTING, self._timeout))
        return self._asked(action, self._timeout)

    def _asked(self, action: Callable[[], Any], seconds: float) -> Any:
        """Return what an action gives, which the library would wait for without end."""
        asked = self._worker.do(action)
        try:
            return asked.result(seconds)
        except TimeoutError as error:
            asked.cancel()
            self._disconnect()
            raise TimeoutError(f"{self._where} does not answer within {seconds:g} s") from error
        except SilaConnectionError as error:
            self._disconnect()
            raise ConnectionError(f"{self._where}: {' '.join(str(error).split())}") from error

    def _disconnect(self) -> None:
        client, self._client, self._executions = self._client, None, {}
        if client is not None:
            client.close()  # which ends what waits for an answer


class _Worker:
    """A thread that does one thing after the other; it does not keep the process from ending."""

    def __init__(self, name: str) -> None:
        self._orders: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=f"sila2-{name}", daemon=True).start()

    def do(self, action: Callable[[], Any]) -> Future[Any]:
        """Return what will be the result of an action, or what it raises."""
        future: Future[Any] = Future()
        self._orders.put((future, action))
        return future

    def end(self) -> None:
        """End after what was ordered."""
        self._orders.put(None)

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            future, action = order
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(action())
            except BaseException as error:  # noqa: BLE001  whoever asked is told
                future.set_exception(error)


def _definition(command: ClientObservableCommand[Any, Any]) -> Any:
    """Return what the server's feature definition says of a command; the library has no public way to it."""
    return command._wrapped_command


def _client_of(command: ClientObservableCommand[Any, Any]) -> Any:
    return command._parent_feature._parent_client


def _units_of(command: ClientObservableCommand[Any, Any]) -> dict[str, str]:
    """Return identifier of a parameter or response to its unit, of those that are constrained to one."""
    fields = [*_definition(command).parameters, *_definition(command).responses]
    found = ((one._identifier, limit) for one in fields for limit in getattr(one.data_type, "constraints", ()))
    return {identifier: limit.label for identifier, limit in found if isinstance(limit, Unit)}


def _result(command: ClientObservableCommand[Any, Any], execution: str) -> dict[str, Any]:
    """Return the responses of an execution, by identifier.

    The library asks by an object that also follows the progress, in a thread that fails where a server has forgotten
    the execution.

    Raises:
        SilaError: it has not finished, is not known any more, or has failed.
    """
    feature, defined = command._parent_feature, _definition(command)
    asked = feature._pb2_module.SiLAFramework__pb2.CommandExecutionUUID(value=execution)
    ask = getattr(feature._grpc_stub, f"{defined._identifier}_Result")
    answer = call_rpc_function(ask, asked, metadata=None, client=_client_of(command), origin=defined)
    responses: dict[str, Any] = defined.responses.to_native_type(answer)._asdict()
    return responses


def _said(error: Exception) -> str:
    """Return an error of SiLA in one line, with its identifier where it is a defined one."""
    text = " ".join(str(error).split())
    return f"{error.identifier}: {text}" if isinstance(error, DefinedExecutionError) else text or type(error).__name__
