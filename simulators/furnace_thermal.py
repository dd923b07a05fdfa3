"""The temperature of a programmed furnace, in closed form.

The chamber follows its setpoint as a first-order lag, so that it trails a ramp by rate times time constant (Seborg,
Edgar, Mellichamp, Process Dynamics and Control, Wiley, 1989, chapter 5), and cools by Newton's law as a lumped
capacity (Incropera, DeWitt, Fundamentals of Heat and Mass Transfer, Wiley, 1990, chapter 5). The soak is counted from
the moment at which the chamber is within ``BAND`` of the target, as programmers with guaranteed soak do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROOM = 25.0  # degC
HANDLED = 55.0  # degC, at which the program ends
LAG = 120.0  # s, time constant of the chamber
COOLING = 3600.0  # s, time constant of the closed, unheated furnace
BAND = 2.0  # degC
NOISE = 0.3  # degC, standard deviation of one reading
LOG_POINTS = 240


@dataclass(frozen=True, slots=True)
class Program:
    """Ramp, soak, cool.

    Attributes:
        target: temperature of the soak [degC].
        soak: length of the soak [h].
        rate: of the ramp [degC/min].
    """

    target: float
    soak: float
    rate: float

    @property
    def ramp_end(self) -> float:
        """When the setpoint reaches the target [s]."""
        return max(self.target - ROOM, 0.0) / self.rate * 60.0

    @property
    def soak_start(self) -> float:
        """When the chamber is within ``BAND`` of the target [s]."""
        behind = self.target - float(_ramp(self.ramp_end, self.rate))
        return self.ramp_end + LAG * math.log(max(behind / BAND, 1.0))

    @property
    def soak_end(self) -> float:
        """When the heater goes off [s]."""
        return self.soak_start + self.soak * 3600.0

    @property
    def duration(self) -> float:
        """When the chamber is cold enough for the sample to be taken out [s]."""
        hot = float(temperature(self, self.soak_end)) - ROOM
        return self.soak_end + COOLING * math.log(max(hot / (HANDLED - ROOM), 1.0))

    def phase(self, elapsed: float) -> str:
        """Return what the program does ``elapsed`` seconds after its start, for people."""
        if elapsed < self.soak_start:
            return f"ramp to {self.target:.0f} degC"
        return f"soak {self.target:.0f} degC" if elapsed < self.soak_end else "cooling"


def temperature(program: Program, elapsed: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chamber's temperature [degC] at times since the start [s]; same shape as ``elapsed``."""
    time = np.asarray(elapsed, dtype=float)
    reached = _ramp(program.ramp_end, program.rate)
    heating = _ramp(np.minimum(time, program.ramp_end), program.rate)
    holding = program.target - (program.target - reached) * _decay(time - program.ramp_end, LAG)
    end = program.target - (program.target - reached) * _decay(program.soak_end - program.ramp_end, LAG)
    cooling = ROOM + (end - ROOM) * _decay(time - program.soak_end, COOLING)
    return np.where(time < program.ramp_end, heating, np.where(time < program.soak_end, holding, cooling))


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """What a furnace has recorded of one program.

    Attributes:
        time: since the start [s], ``n``.
        temperature: readings [degC], ``n``.
        peak: highest reading [degC].
        soak_mean, soak_sd: mean and standard deviation of the readings during the soak [degC].
    """

    time: NDArray[np.float64]
    temperature: NDArray[np.float64]
    peak: float
    soak_mean: float
    soak_sd: float


def record(program: Program, rng: np.random.Generator) -> Log:
    """Return the log of a whole program, with the noise of the thermocouple."""
    ends = [0.0, program.ramp_end, program.soak_start, program.soak_end, program.duration]
    time = np.unique(np.concatenate([ends, np.linspace(0.0, program.duration, LOG_POINTS)]))
    soaking = np.linspace(program.soak_start, program.soak_end, LOG_POINTS // 4, endpoint=False)
    time = np.unique(np.concatenate([time, soaking]))
    readings = temperature(program, time) + rng.normal(0.0, NOISE, time.size)
    return summary(program, time, readings)


def summary(program: Program, time: NDArray[np.float64], readings: NDArray[np.float64]) -> Log:
    """Return readings (``n``) at times (``n``, s) with their peak and the statistics of the soak."""
    soak = readings[(time >= program.soak_start) & (time < program.soak_end)]
    return Log(time, readings, float(readings.max()), float(soak.mean()), float(soak.std()))


def _ramp(time: float | NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Return the response [degC] of the chamber to a ramp [degC/min] from room temperature."""
    slope = rate / 60.0
    elapsed = np.asarray(time, dtype=float)
    return ROOM + slope * (elapsed - LAG * (1.0 - _decay(elapsed, LAG)))


def _decay(time: float | NDArray[np.float64], constant: float) -> NDArray[np.float64]:
    """Return exp(-time / constant) for times after 0, else 1."""
    return np.exp(-np.maximum(np.asarray(time, dtype=float), 0.0) / constant)
