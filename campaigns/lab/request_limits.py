"""What becomes of a request that nobody answers in time, as the campaign file says."""

from __future__ import annotations

from typing import Literal

from campaigns.config import Config, Seconds


class TrialRequestConfig(Config):
    """How long an uncertain trial waits for somebody to decide about it."""

    time_limit: Seconds
    """How long, in lab time; what passes while no run goes on does not count."""
    then: Literal["discard", "stop"]
    """discard: its sample is given up, and nothing is learnt from it; stop: the run ends after the current trials."""


class StationRequestConfig(Config):
    """How long a station that has failed time after time waits for somebody to mend it."""

    time_limit: Seconds
    """How long, in lab time; what passes while no run goes on does not count."""
    then: Literal["out", "stop"]
    """out: it is taken out, and nobody is asked any more; stop: the run ends after the current trials."""


class RequestsConfig(Config):
    """What becomes of requests that nobody answers; without a time limit they wait for ever."""

    trial: TrialRequestConfig | None = None
    """Of uncertain trials."""
    station: StationRequestConfig | None = None
    """Of stations that failed time after time."""
