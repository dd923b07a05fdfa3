from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from simulators.furnace_thermal import BAND, COOLING, HANDLED, LAG, ROOM, Program, record, temperature

PROGRAMS = st.builds(Program, st.floats(100.0, 1200.0), st.floats(0.1, 100.0), st.floats(0.5, 20.0))


def test_the_closed_form_solves_the_differential_equation() -> None:
    program = Program(target=850.0, soak=1.0, rate=10.0)

    def slope(time: float, value: float) -> float:
        if time >= program.soak_end:
            return (ROOM - value) / COOLING
        return (min(ROOM + time * program.rate / 60.0, program.target) - value) / LAG

    times = np.linspace(0.0, program.duration, 500, endpoint=False)
    breaks = [0.0, program.ramp_end, program.soak_end, program.duration]
    value, solved = np.array([ROOM]), []
    for start, end in pairwise(breaks):
        part = solve_ivp(slope, (start, end), value, rtol=1e-9, atol=1e-9, dense_output=True)
        inside = (times >= start) & (times < end)
        solved.append(part.sol(times[inside])[0])
        value = part.y[:, -1]
    np.testing.assert_allclose(temperature(program, times), np.concatenate(solved), atol=1e-3)


@given(PROGRAMS)
def test_a_program_soaks_within_its_band_and_ends_cold(program: Program) -> None:
    soak = np.linspace(program.soak_start, program.soak_end, 50, endpoint=False)
    assert np.all(np.abs(temperature(program, soak) - program.target) <= BAND + 1e-6)
    assert temperature(program, program.duration) == pytest.approx(HANDLED, abs=1e-6)
    assert 0.0 <= program.ramp_end <= program.soak_start < program.soak_end < program.duration


@given(PROGRAMS, st.integers(0, 99))
def test_the_log_of_a_program_shows_that_it_did_what_it_was_told(program: Program, seed: int) -> None:
    log = record(program, np.random.default_rng(seed))
    assert log.peak == pytest.approx(program.target, abs=5.0)
    assert log.soak_mean == pytest.approx(program.target, abs=2.0)
    assert log.soak_sd < 2.0
    assert np.all(np.diff(log.time) > 0)


def test_a_program_says_what_it_does() -> None:
    program = Program(850.0, 12.0, 5.0)
    times = [60.0, program.soak_start + 1.0, program.soak_end + 1.0]
    assert [program.phase(time) for time in times] == ["ramp to 850 degC", "soak 850 degC", "cooling"]
