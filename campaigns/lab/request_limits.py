"""What becomes of a request that nobody answers in time, as the campaign file says."""

from __future__ import annotations

from typing import Literal

from campaigns.config import Config, Seconds


class RequestLimitConfig(Config):
    """How long people are waited for."""

    time_limit: Seconds
    """How long, in lab time; what passes while no run goes on does not count."""


class TrialRequestConfig(RequestLimitConfig):
    """How long an uncertain trial waits for somebody to decide about it."""

    then: Literal["discard", "stop"]
    """discard: its sample is given up, and nothing is learnt from it; stop: the run ends after the current trials."""


class StationRequestConfig(RequestLimitConfig):
    """How long a station that has failed time after time waits for somebody to mend it."""

    then: Literal["out", "stop"]
    """out: it is taken out, and nobody is asked any more; stop: the run ends after the current trials."""


class StandardRequestConfig(RequestLimitConfig):
    """How long a station whose calibration standard is off waits for somebody to adjust it."""

    then: Literal["out", "stop"]
    """out: it is taken out, and nobody is asked any more; stop: the run ends after the current trials."""


class SupplyRequestConfig(RequestLimitConfig):
    """How long a trial waits for a refill, or for room at a position."""

    then: Literal["withdraw", "stop"]
    """withdraw: a trial of which no step was begun is withdrawn, so that others go on, and one that was begun waits
    on; where none was begun since the last was withdrawn so, the run ends. stop: the run ends after the current trials,
    without those that wait."""


class UnsafeRequestConfig(RequestLimitConfig):
    """How long a station that may not be in its safe state waits for somebody to look at it."""

    then: Literal["stop"]
    """stop: the run ends after the current trials. Nothing begins at the station before somebody has looked."""


class RequestsConfig(Config):
    """What becomes of requests that nobody answers; without a time limit they wait for ever."""

    trial: TrialRequestConfig | None = None
    """Of uncertain trials."""
    station: StationRequestConfig | None = None
    """Of stations that failed time after time."""
    refill: SupplyRequestConfig | None = None
    """Of trials for whose next step there is not enough of a consumable."""
    position: SupplyRequestConfig | None = None
    """Of trials whose sample finds no place, as a position is full."""
    standard: StandardRequestConfig | None = None
    """Of stations whose calibration standard is off."""
    unsafe: UnsafeRequestConfig | None = None
    """Of stations that may not be in their safe states."""
