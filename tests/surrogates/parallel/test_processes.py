"""Worker processes answer, pass errors on, and end with their parent."""

import math
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from campaigns.errors import ModelError
from surrogates.features.chgnet_model import ChgnetModel
from surrogates.parallel.processes import map_in_processes


def test_every_task_is_answered_once() -> None:
    answers = dict(map_in_processes(math.sqrt, [float(i * i) for i in range(20)], 2))
    assert answers == {i: float(i) for i in range(20)}


def test_tasks_are_taken_a_few_ahead() -> None:
    taken = []

    def tasks() -> Iterator[float]:
        for number in range(20):
            taken.append(number)
            yield float(number)

    answers = map_in_processes(math.sqrt, tasks(), 1)
    next(answers)
    assert len(taken) <= 2
    assert len(list(answers)) == 19


@pytest.mark.slow
def test_model_error_of_a_worker_is_raised_here() -> None:
    with pytest.raises(ModelError, match="no weights 'none'"):
        list(map_in_processes(cast(Callable[[str], ChgnetModel], ChgnetModel), ["none"], 1))


def test_death_of_a_worker_is_an_error_here() -> None:
    with pytest.raises(ModelError, match="died with exit code 3"):
        list(map_in_processes(os._exit, [3], 1))


def test_prints_of_a_worker_do_not_garble_its_answers() -> None:
    assert dict(map_in_processes(print, ["said by a worker"], 1)) == {0: None}


def test_works_in_a_script_that_has_no_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import math\nfrom surrogates.parallel.processes import map_in_processes\n"
        "print(sorted(map_in_processes(math.sqrt, [4.0, 9.0], 2)))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=True)
    assert ended.stdout == "[(0, 2.0), (1, 3.0)]\n"


def alive(process_id: int) -> bool:
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_worker_ends_when_its_parent_is_killed() -> None:
    code = (
        "import os, time\nfrom surrogates.parallel.processes import map_in_processes\n"
        "answers = map_in_processes(eval, ['__import__(\"os\").getpid()', '__import__(\"os\").getpid()'], 1)\n"
        "print(next(answers)[1], flush=True)\ntime.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        worker = int(parent.stdout.readline())
        assert alive(worker)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while alive(worker):
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.05)


def test_a_worker_whose_parent_was_killed_meanwhile_ends_without_a_word() -> None:
    command = [sys.executable, "-c", "from surrogates.parallel.processes import serve; serve()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as worker:
        worker.stdout.close()
        worker.stdin.write(pickle.dumps(math.sqrt) + pickle.dumps(4.0))
        worker.stdin.close()
        assert worker.stderr.read() == b""
    assert worker.returncode == 0


def test_a_file_in_the_working_folder_does_not_replace_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("random", "numpy", "pickle", "surrogates"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this is no library')")
    monkeypatch.chdir(tmp_path)
    assert dict(map_in_processes(abs, [-1, -2], 1)) == {0: 1, 1: 2}
