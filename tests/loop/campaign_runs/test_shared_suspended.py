"""A run that is suspended in the middle of a job, and goes on when its station has long been another campaign's."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from campaigns.values import TrialState
from loop.cli.lab_orders import lab_rows
from loop.execution.shared_lab import messages
from tests.shared_labs import LAB, SharedLab, served, until, write_shared_lab

pytestmark = pytest.mark.slow


def test_a_job_that_went_on_without_its_suspended_run_is_taken_up_and_not_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shared_lab(tmp_path, "glass", "clay")
    (tmp_path / "oven.py").rename(tmp_path / "oven_of_suspended.py")
    lab = LAB.replace('"oven:Oven"', '"oven_of_suspended:Oven"\n    settings: {seconds: 1}')
    (tmp_path / "lab.yaml").write_text(f"reservation_timeout: 0.1 s\n{lab}", encoding="utf-8")
    for name in ("glass", "clay"):
        file = tmp_path / f"{name}.yaml"
        file.write_text(file.read_text(encoding="utf-8").replace("trials: 3", "trials: 2"), encoding="utf-8")
    shared, slow = SharedLab(tmp_path), tmp_path / "jobs" / "slow"
    monkeypatch.setattr(messages, "SILENCE", messages.HEARTBEAT + 1.0)
    with served(tmp_path):
        slow.parent.mkdir(exist_ok=True)
        slow.touch()
        glass = shared.start("run", "glass.yaml")
        until(lambda: shared.begun)
        glass.send_signal(signal.SIGSTOP)
        clay = shared.start("run", "clay.yaml")
        until(lambda: shared.waits("clay").endswith("whose run is away"))
        slow.unlink()
        until(lambda: len(shared.begun) == 2)
        slow.touch()
        glass.send_signal(signal.SIGCONT)
        until(lambda: "its run is away" not in dict(lab_rows(tmp_path / "lab.yaml"))["campaign glass"])
        until(lambda: "reserved for campaign clay" in shared.waits("glass"))
        slow.unlink()
        for one in (glass, clay):
            output, code = one.end()
            assert code == 0, output
    shared.close()
    tokens = []
    for name in ("glass", "clay"):
        trials = shared.stored(name).trials()
        assert [trial.state for trial in trials] == [TrialState.COMPLETED] * 2, [trial.reason for trial in trials]
        tokens += [step.token for trial in trials for step in trial.steps]
    assert sorted(shared.begun) == sorted(tokens)
    assert len(tokens) == 4
