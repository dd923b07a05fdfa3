"""Instruments behind a web service that keeps jobs by token: ``PUT /jobs/TOKEN`` begins one, ``GET`` tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import requests

from campaigns.errors import StepError
from instruments.clock import Clock
from instruments.devices.polled_instrument import JobReport, PolledInstrument

_ABSENT = 404
_REFUSED = 400
"""From this status on, a request was refused, or failed at the server."""


class HttpInstrument(PolledInstrument):
    """An instrument behind a web service; a subclass has its ``settings`` and the signals that it reads.

    The body of ``PUT`` is a JSON object with the settings, ``sample``, ``material``, ``step`` and ``attempt``; a token
    that the service knows begins nothing. That of ``GET`` is one with ``state`` (busy, done, fault, sample failed),
    ``job`` (what ``PUT`` brought) and, where they apply, ``message``, ``progress`` and ``data``: signal to its reading.

    Args:
        url: of the service, to which ``/jobs/TOKEN`` is added.
        timeout: wall time in seconds that the service may take for an answer.
    """

    def __init__(
        self, prefix: str = "", *, name: str, clock: Clock, url: str, timeout: float = 10.0, **kwargs: Any
    ) -> None:
        super().__init__(prefix, name=name, clock=clock, **kwargs)
        self._url, self._timeout = url.rstrip("/"), timeout

    def give(self, token: str, job: Mapping[str, Any]) -> None:
        """Have the service begin a job; see ``PolledInstrument.give``."""
        self._check(self._answer("PUT", token, dict(job)))

    def ask(self, token: str) -> JobReport | None:
        """Return what the service says of a job; see ``PolledInstrument.ask``."""
        answer = self._answer("GET", token)
        if answer.status_code == _ABSENT:
            return None
        self._check(answer)
        body = answer.json()
        told = {key: body.get(key, "") for key in ("message", "progress")}
        return JobReport(str(body["state"]), **told, data=body.get("data", {}), settings=body.get("job", {}))

    def _answer(self, method: str, token: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        url = f"{self._url}/jobs/{quote(token, safe='') or '-'}"
        try:
            return requests.request(method, url, json=body, timeout=self._timeout)
        except requests.Timeout as error:
            raise TimeoutError(f"{url} does not answer within {self._timeout:g} s") from error
        except requests.RequestException as error:
            raise ConnectionError(f"{url}: {_innermost(error)}") from error

    def _check(self, answer: requests.Response) -> None:
        """Raise what a status says: a server in trouble is asked again, one that refuses is not."""
        if answer.status_code >= 500:
            raise ConnectionError(f"{answer.url} answers {answer.status_code} {answer.reason}")
        if answer.status_code >= _REFUSED:
            raise StepError(f"{self.name}: {answer.url} refuses with {answer.status_code}: {answer.text.strip()}")


def _innermost(error: BaseException) -> BaseException:
    """Return the error that those of libraries came from."""
    while error.__context__ is not None:
        error = error.__context__
    return error
