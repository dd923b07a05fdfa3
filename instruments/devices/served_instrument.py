"""An instrument as it is served to another process: what that asks, and what it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from campaigns.errors import StepError, UnknownJobError
from campaigns.values import Scalar
from instruments.devices.process_instrument import DRIVER_FAILED, DriverFacts
from instruments.job import Job
from instruments.job_instrument import JobInstrument
from instruments.places import told_values
from instruments.proof import agrees, proven

_QUESTIONS = frozenset(
    [
        "limits",
        "hints",
        "unit_of",
        "check_units",
        "job_duration",
        "has_job",
        "never_began",
        "has_finished",
        "is_at",
        "documents",
        "remember_in",
        "check_ready",
        "halt",
        "describe",
    ]
)
"""What is asked of the instrument itself."""


class ServedInstrument:
    """Answers questions about an instrument.

    Args:
        instrument: what is served.
        tell: called with token, state and message when the instrument's state changes, from any thread.
        campaign: what start documents of its plans say of the campaign: that of the last job that was started.
        check: raises an error where the job that the instrument's signals describe may not be started.
    """

    def __init__(
        self,
        instrument: JobInstrument,
        tell: Callable[[str, str, str], None],
        campaign: dict[str, Any],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.instrument, self._tell, self._campaign, self._check = instrument, tell, campaign, check
        self._telling = threading.RLock()  # so that what is told last is the state of now
        instrument.state.subscribe(lambda **_: self.tell_state(), run=False)
        instrument.on_mistake = lambda error: tell(instrument.token.get(), DRIVER_FAILED, str(error))

    def answer(self, name: str, values: tuple[Any, ...]) -> Any:
        """Return what a question is answered.

        Raises:
            AttributeError: there is no such question.
            Exception: what the instrument raises.
        """
        own: Mapping[str, Callable[..., Any]] = {
            "facts": self.facts,
            "start": self.start,
            "stop": self.stop,
            "verify": self.verify,
            "read": self.read,
        }
        if name in own:
            return own[name](*values)
        if name not in _QUESTIONS:
            raise AttributeError(name)
        found = getattr(self.instrument, name)
        return found(*values) if callable(found) else found

    def tell_state(self) -> None:
        """Say what the instrument's job does now, which may be more than whoever has changed it knows."""
        instrument = self.instrument
        with self._telling:
            self._tell(instrument.token.get(), instrument.state.get(), instrument.message.get())

    def facts(self) -> DriverFacts:
        """Return what the instrument says of itself."""
        instrument = self.instrument
        limits = instrument.limits
        units = {key: instrument.unit_of(key) for key in instrument.settings if key not in limits.choices}
        settings, defaults = tuple(instrument.settings), dict(instrument.defaults)
        places = (instrument.place_count, instrument.own_settings)
        return DriverFacts(settings, units, limits, defaults, instrument.answers_later, *places)

    def start(self, token: str, job: Mapping[str, Scalar], campaign: Mapping[str, Any]) -> dict[str, Any]:
        """Start a job of a campaign, or attach to it; return the settings that it has."""
        instrument = self.instrument
        self._campaign.clear()
        self._campaign.update(campaign)
        if not instrument.has_job(token):
            for key, value in job.items():
                _write(getattr(instrument, key), value)
            self._check()
        instrument.start(token)
        self.tell_state()  # also of a job that was over before
        return told_values(instrument)

    def stop(self, success: bool) -> None:
        """Stop waiting."""
        self.instrument.stop(success=success)

    def verify(self, told: Mapping[str, Any]) -> None:
        """Prove that a job was done; see ``instruments.proof.proven``."""
        for message in proven(self.instrument, Job(**told)):  # a plan that does nothing but to wait
            time.sleep(message.args[0])

    def read(self, token: str = "") -> dict[str, Any]:
        """Return the readings of a job.

        Raises:
            UnknownJobError: the instrument is at another job.
        """
        name, at = self.instrument.name, self.instrument.token.get()
        if token and at != token:
            raise UnknownJobError(f"{name} is at job {at!r}, not at {token!r}; its readings are another job's")
        found: dict[str, Any] = self.instrument.read()
        return found


def _write(signal: Any, value: Scalar) -> None:
    """Set a signal and read it back.

    Raises:
        StepError: what is read is not what was set.
    """
    signal.set(value).wait()
    if not agrees(value, got := signal.get()):
        raise StepError(
            f"{signal.name} was set to {value!r} and reads {got!r}; nothing was started; look at the device"
        )
