"""Tuning goes on beside a campaign, and survives the death of either process."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from campaigns.errors import ModelError
from surrogates.training.fine_tune import read_task, tune
from surrogates.training.fine_tune_process import RESULT, TuningResult, TuningTask, read_result, start, task_text
from surrogates.training.record import read_record
from tests.trained import tuning_task

pytestmark = pytest.mark.slow

PATIENCE = 240
FOREVER = 100_000  # epochs


@pytest.fixture(scope="module")
def tuned(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TuningTask, TuningResult]:
    """A task that improves the model, and its result."""
    task = tuning_task(model, tmp_path_factory.mktemp("tuned") / "out")
    return task, start(task).wait(PATIENCE)


def test_the_result_names_the_folder_and_nothing_else_is_left(tuned: tuple[TuningTask, TuningResult]) -> None:
    task, result = tuned
    assert result.outcome == "better", result.reason
    assert result.folder == task.out
    assert read_result(task.out) == result
    assert [path.name for path in task.out.parent.iterdir()] == ["out"]


def test_a_child_does_exactly_what_this_process_would(tuned: tuple[TuningTask, TuningResult], tmp_path: Path) -> None:
    task, result = tuned
    here = tune(read_task(task_text(task)), tmp_path)
    assert replace(here, folder=task.out) == result
    assert read_record(tmp_path).weights == read_record(task.out).weights


def test_a_task_that_was_done_before_has_its_result_at_once(tuned: tuple[TuningTask, TuningResult]) -> None:
    task, result = tuned
    assert start(task).poll() == result


def test_a_folder_that_holds_another_tasks_result_is_refused(tuned: tuple[TuningTask, TuningResult]) -> None:
    task, _ = tuned
    with pytest.raises(ModelError, match="exists already"):
        start(replace(task, seed=1))


def test_a_killed_child_is_a_result_and_leaves_nothing(model: Path, tmp_path: Path) -> None:
    tuning = start(tuning_task(model, tmp_path / "out", epochs=FOREVER))
    assert tuning.poll() is None
    assert tuning.wait(timeout=0.01) is None
    os.kill(tuning.pid, signal.SIGKILL)
    result = tuning.wait(PATIENCE)
    assert result.outcome == "failed"
    assert "ended with code -9" in result.reason
    assert list(tmp_path.iterdir()) == []


def test_what_a_task_failed_of_is_in_the_result(model: Path, tmp_path: Path) -> None:
    result = start(tuning_task(model, tmp_path / "out", count=5)).wait(PATIENCE)
    assert result.outcome == "failed"
    assert "got 5 different materials, in " in result.reason


def test_a_model_that_is_not_there_is_refused_at_once(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="none is no trained model"):
        start(tuning_task(tmp_path / "none", tmp_path / "out"))
    with pytest.raises(ModelError, match="none is no trained model"):
        start(tuning_task(model, tmp_path / "out", current=tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_tuning_leaves_nothing(model: Path, tmp_path: Path) -> None:
    tuning = start(tuning_task(model, tmp_path / "out", epochs=FOREVER))
    tuning.stop()
    assert list(tmp_path.iterdir()) == []


def test_what_was_left_when_both_processes_were_killed_is_in_nobodys_way(model: Path, tmp_path: Path) -> None:
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "state.pt").write_text("half")
    tuning = start(tuning_task(model, tmp_path / "out", epochs=FOREVER))
    tuning.stop()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_child_ends_and_cleans_up_when_its_parent_is_killed(model: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom surrogates.training.fine_tune_process import start\n"
        "from tests.trained import tuning_task\n"
        "tuning = start(tuning_task(Path(sys.argv[1]), Path(sys.argv[2]), epochs=100_000))\n"
        "print(tuning.pid, flush=True)\ntime.sleep(600)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", code, str(model), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while alive(child):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []


def alive(process_id: int) -> bool:
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def test_the_campaigns_process_loads_no_torch_to_tune() -> None:
    code = "import sys, surrogates.training.fine_tune_process; print('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert ended.stdout == "False\n"


def test_a_damaged_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / RESULT).write_text(json.dumps({"outcome": "better"}))
    with pytest.raises(ModelError, match="cannot be read"):
        read_result(tmp_path)
