"""Instruments behind a web service that keeps jobs by token: ``PUT /jobs/TOKEN`` begins one, ``GET`` tells of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from campaigns.errors import LabError, StepError
from instruments.clock import Clock
from instruments.devices.polled_instrument import JobReport, PolledInstrument

_ABSENT = 404
_UNKNOWN_TO_IT = (401, 403)
"""It does not know us, or not any more."""
_REFUSED = 400
"""From this status on, a request was refused, or failed at the server."""


class HttpInstrument(PolledInstrument):
    """An instrument behind a web service; a subclass has its ``settings`` and the signals that it reads.

    The body of ``PUT`` is a JSON object with the settings, ``sample``, ``material``, ``step`` and ``attempt``; a token
    that the service knows begins nothing. That of ``GET`` is one with ``state`` (busy, done, fault, sample failed),
    ``job`` (what ``PUT`` brought) and, where they apply, ``message``, ``progress`` and ``data``: signal to its reading.

    A user name and a password stand in the user's ``.netrc``, as of other programs, and no secret in a campaign file.

    Args:
        url: of the service, to which ``/jobs/TOKEN`` is added.
        timeout: wall time in seconds that the service may take for an answer.
        bearer: name of an environment variable with the token by which the service knows us (RFC 6750); empty for none.
        certificate: file with the certificates by which the service is known, in PEM; empty for those that the system
            trusts.

    Raises:
        LabError: there is no such environment variable, or file.
    """

    def __init__(
        self,
        prefix: str = "",
        *,
        name: str,
        clock: Clock,
        url: str,
        timeout: float = 10.0,
        bearer: str = "",
        certificate: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(prefix, name=name, clock=clock, **kwargs)
        self._url, self._timeout = url.rstrip("/"), timeout
        if bearer and not os.environ.get(bearer):
            raise LabError(f"{name}: the environment variable {bearer} is not set, which holds the token for {url}")
        if certificate and not Path(certificate).is_file():
            raise LabError(f"{name}: there is no file {certificate}, which holds the certificate of {url}")
        self._verify: str | bool = certificate or True
        self._auth = _Bearer(os.environ[bearer]) if bearer else None

    def give(self, token: str, job: Mapping[str, Any]) -> None:
        """Have the service begin a job; see ``PolledInstrument.give``."""
        self._check(self._answer("PUT", token, dict(job)))

    def ask(self, token: str) -> JobReport | None:
        """Return what the service says of a job; see ``PolledInstrument.ask``."""
        answer = self._answer("GET", token)
        if answer.status_code == _ABSENT:
            return None
        if answer.status_code in _UNKNOWN_TO_IT:  # the job goes on, whoever we are
            raise ConnectionError(f"{answer.url} answers {answer.status_code} {answer.reason}")
        self._check(answer)
        body = answer.json()
        told = {key: body.get(key, "") for key in ("message", "progress")}
        return JobReport(str(body["state"]), **told, data=body.get("data", {}), settings=body.get("job", {}))

    def _answer(self, method: str, token: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        url = f"{self._url}/jobs/{quote(token, safe='') or '-'}"
        try:
            return requests.request(method, url, json=body, timeout=self._timeout, auth=self._auth, verify=self._verify)
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


class _Bearer(AuthBase):
    """Says who we are by a token; as an authentication, it is not overridden by a ``.netrc``."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _innermost(error: BaseException) -> BaseException:
    """Return the error that those of libraries came from."""
    while error.__context__ is not None:
        error = error.__context__
    return error
