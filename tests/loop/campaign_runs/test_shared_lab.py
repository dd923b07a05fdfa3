"""Two campaigns on one laboratory, whose instruments a lab process owns: in turn, and through kills of either."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.errors import LabError
from campaigns.load import load_campaign
from campaigns.values import TrialState
from loop.cli.lab_orders import lab_rows, stop_lab
from loop.core.events import Event
from loop.execution.options import RunOptions
from loop.execution.shared_lab.socket_file import is_served, listening, was_left
from loop.run import is_shared
from loop.storage.lab_files.lab_lock import LAB_PROCESS, LabLock, shared_folder
from tests.forks import Program
from tests.shared_labs import SharedLab, served, until, write_shared_lab

pytestmark = pytest.mark.slow


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SharedLab]:
    """A laboratory with two campaigns, which are not started yet."""
    write_shared_lab(tmp_path, "glass", "clay")
    found = SharedLab(tmp_path)
    yield found
    found.close()


def ended(*programs: Program) -> None:
    """Wait for the end of commands, and check that all went well."""
    for one in programs:
        output, code = one.end()
        assert code == 0, output


def check_all_completed(shared: SharedLab) -> None:
    """Check that all trials of both campaigns are done by their first attempt, and that the oven did each once."""
    tokens = []
    for name in ("glass", "clay"):
        trials = shared.stored(name).trials()
        assert [trial.state for trial in trials] == [TrialState.COMPLETED] * 3, [trial.reason for trial in trials]
        assert [len(trial.steps) for trial in trials] == [1] * 3
        tokens += [step.token for trial in trials for step in trial.steps]
    assert sorted(shared.begun) == sorted(tokens)


def test_two_campaigns_get_an_oven_in_turn_and_none_begins_while_the_other_is_at_it(shared: SharedLab) -> None:
    lab = shared.open()
    refused, code = shared.start("lab", "run", "lab.yaml").end()
    assert code == 3
    assert f"the lab process (process {lab.pid}" in refused
    ended(*[shared.start("run", f"{name}.yaml") for name in ("glass", "clay")])
    check_all_completed(shared)
    rows = dict(lab_rows(shared.folder / "lab.yaml"))
    assert rows["lab process"] == str(lab.pid)
    assert rows["campaign glass"] == "priority 0, share 1, its run is away"
    ended(shared.start("lab", "stop", "lab.yaml"), lab)


def test_a_campaign_that_is_killed_keeps_its_job_and_the_other_waits_for_it(shared: SharedLab) -> None:
    lab, slow = shared.open(), shared.folder / "jobs" / "slow"
    slow.touch()
    killed = shared.start("run", "glass.yaml")
    until(lambda: shared.begun)
    killed.send_signal(signal.SIGKILL)
    killed.end()
    clay = shared.start("run", "clay.yaml")
    until(lambda: "run is away" in shared.waits("clay"))
    assert shared.waits("clay") == f"reserved for campaign glass (job {shared.begun[0]}), whose run is away"
    again = shared.start("run", "glass.yaml")
    until(lambda: "its run is away" not in dict(lab_rows(shared.folder / "lab.yaml"))["campaign glass"])
    assert len(shared.begun) == 1
    slow.unlink()
    ended(again, clay)
    check_all_completed(shared)
    lab.send_signal(signal.SIGTERM)
    ended(lab)


def test_a_lab_process_that_is_killed_is_waited_for_and_its_jobs_are_found_again(shared: SharedLab) -> None:
    lab, slow = shared.open(), shared.folder / "jobs" / "slow"
    slow.touch()
    glass = shared.start("run", "glass.yaml")
    until(lambda: shared.begun)
    clay = shared.start("run", "clay.yaml")
    until(lambda: "reserved for campaign glass" in shared.waits("clay"))
    lab.send_signal(signal.SIGKILL)
    lab.end()
    until(lambda: "'athanor lab run" in shared.waits("clay"))
    lab = shared.open()
    slow.unlink()
    ended(glass, clay)
    check_all_completed(shared)
    lab.send_signal(signal.SIGTERM)
    ended(lab)


def test_a_run_waits_for_a_lab_process_that_was_killed_and_goes_by_itself_once_that_counts_as_ended(
    shared: SharedLab,
) -> None:
    file, glass = shared.folder / "lab.yaml", load_campaign(shared.folder / "glass.yaml")
    shared_folder(file).mkdir()
    listening(file).close()  # as one that is killed leaves it
    told, found = list[Event](), list[bool]()
    run = threading.Thread(target=lambda: found.append(is_shared(glass, RunOptions("", ""), told.append)))
    run.start()
    until(lambda: told)
    with served(shared.folder):
        run.join()
    assert found == [True]
    assert "has gone without an end, and is waited for: 'athanor lab run" in str(told[0])
    assert not was_left(file)

    listening(file).close()
    with pytest.raises(LabError, match=r"gone without an end: start it again .* 'athanor lab stop"):
        is_shared(glass, RunOptions("", "", stop=stopped()), lambda _: None)
    assert list(stop_lab(file)) == [f"the lab process of {file}, which had gone without an end, counts as ended"]
    assert not is_shared(glass, RunOptions("", ""), lambda _: None)


def test_a_lab_process_that_cannot_be_reached_yet_is_waited_for_and_not_driven_beside(shared: SharedLab) -> None:
    file, glass = shared.folder / "lab.yaml", load_campaign(shared.folder / "glass.yaml")
    told: list[Event] = []
    with (
        LabLock(file, LAB_PROCESS),
        pytest.raises(LabError, match=r"cannot be reached: look at the lab process \(proc"),
    ):
        is_shared(glass, RunOptions("", "", stop=stopped()), told.append)
    assert "runs, and cannot be reached yet: it is waited for" in str(told[0])


def test_a_socket_file_that_was_removed_is_made_again(shared: SharedLab) -> None:
    file = shared.folder / "lab.yaml"
    with served(shared.folder):
        for remove in ((shared_folder(file) / "lab.sock").unlink, lambda: shutil.rmtree(shared_folder(file))):
            remove()
            until(lambda: is_served(file))
            assert dict(lab_rows(file))["lab process"] == str(os.getpid())


def stopped() -> threading.Event:
    found = threading.Event()
    found.set()
    return found
