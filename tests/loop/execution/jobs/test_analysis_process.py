"""Analyses in a process of their own: whatever one does costs its own result, and the next one is done."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from campaigns.errors import SampleError
from campaigns.values import Measurement
from instruments.analyses.context import AnalysisContext
from loop.execution.jobs.analysis_child import AnalysisTask, FailedAnalysisError
from loop.execution.jobs.analysis_process import AbandonedError, AnalysisProcess


@pytest.fixture(scope="module")
def process() -> Iterator[AnalysisProcess]:
    found = AnalysisProcess()
    yield found
    found.close()


def task(name: str, **data: Any) -> AnalysisTask:
    return AnalysisTask(f"tests.loop.odd_analyses:{name}", {}, data, AnalysisContext())


def test_a_measurement_comes_back(process: AnalysisProcess) -> None:
    found = process.run(task("sound"), 20.0)
    assert isinstance(found, Measurement)
    assert found.metrics["capacity"].unit == "Ah/g"


@pytest.mark.parametrize(
    ("name", "said", "fault"),
    [
        ("raises", r"KeyError: 'current' \(odd_analyses.py:\d+\)", r"KeyError at odd_analyses.py:\d+"),
        ("exits", r"SystemExit: 3 \(odd_analyses.py:\d+\)", r"SystemExit at odd_analyses.py:\d+"),
        ("hangs", "it took longer than 0.5 s and was ended; correct it, or allow more", "it took too long"),
        ("crashes", r"its process died by signal 11 \(SIGSEGV\), twice", "its process died"),
        ("gives_what_cannot_be_told", "what it returned cannot be passed on", "its result"),
    ],
)
def test_what_an_analysis_does_is_told_and_the_next_one_is_done(
    process: AnalysisProcess, name: str, said: str, fault: str
) -> None:
    process.run(task("sound"), 20.0)  # started already: the time is the analysis' own
    with pytest.raises(FailedAnalysisError) as failed:
        process.run(task(name), 0.5 if name == "hangs" else 20.0)
    assert re.match(said, failed.value.said)
    assert re.fullmatch(fault, failed.value.fault)
    assert isinstance(process.run(task("sound"), 20.0), Measurement)


def test_a_sample_without_a_value_is_told_as_such(process: AnalysisProcess) -> None:
    with pytest.raises(SampleError, match="the pellet is cracked"):
        process.run(task("has_no_value"), 20.0)


def test_what_is_no_measurement_is_told_by_its_type(process: AnalysisProcess) -> None:
    assert process.run(task("returns_nothing"), 20.0) == "NoneType"


def test_a_process_that_is_killed_between_two_analyses_is_started_anew(process: AnalysisProcess) -> None:
    process.run(task("sound"), 20.0)
    assert process._process is not None
    os.kill(process._process.pid, signal.SIGKILL)
    assert isinstance(process.run(task("sound"), 20.0), Measurement)


def test_nobody_waits_for_an_analysis_that_is_abandoned(process: AnalysisProcess) -> None:
    began = time.monotonic()
    with pytest.raises(AbandonedError):
        process.run(task("hangs"), 60.0, lambda: True)
    assert time.monotonic() - began < 30.0


def test_the_process_ends_with_a_parent_that_is_killed_whatever_the_analysis_is_at() -> None:
    program = (
        "import os, threading, time\n"
        "from loop.execution.jobs.analysis_process import PROCESS\n"
        "from loop.execution.jobs.analysis_child import AnalysisTask\n"
        "hangs = AnalysisTask('tests.loop.odd_analyses:hangs', {}, {}, None)\n"
        "threading.Thread(target=PROCESS.run, args=(hangs, 600.0), daemon=True).start()\n"
        "while PROCESS._process is None: time.sleep(.01)\n"
        "print(PROCESS._process.pid, flush=True)\n"
        "input()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    watch = os.pidfd_open(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    try:
        assert select.select([watch], [], [], 20)[0], "the process outlives its parent"
    finally:
        os.close(watch)
