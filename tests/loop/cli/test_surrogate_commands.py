"""Bars fit into a narrow terminal; into a pipe goes a line now and then."""

import io

import pytest
from rich.console import Console

from loop.cli import surrogate_commands
from loop.cli.surrogate_commands import epochs_shown, steps_shown
from surrogates.training.record import Epoch
from surrogates.training.train import Report


def reports(count: int) -> list[Report]:
    epochs = [Epoch(i, 1.0 / i, 1.5 / i) for i in range(1, count + 1)]
    return [Report(2, 3, count, epoch, epoch) for epoch in epochs]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    found = io.StringIO()
    made = Console(file=found, width=80, force_terminal=True, color_system=None)
    monkeypatch.setattr(surrogate_commands, "console", lambda: made)
    return found


def test_a_bar_shows_errors_epochs_and_the_time_left_on_one_line(terminal: io.StringIO) -> None:
    with epochs_shown("eV/atom") as show:
        for report in reports(7):
            show(report)
    last = next(line for line in reversed(terminal.getvalue().replace("\r", "\n").split("\n")) if "training" in line)
    assert "training 2 of 3: error 0.214 (best 0.214) eV/atom" in last
    assert "7 of 7 0:00:00" in last


def test_a_pipe_gets_a_tenth_of_the_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    with epochs_shown("1") as show:
        for report in reports(50):
            show(report)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[0] == "epoch 1 of 50, training 2 of 3: error 1.5 (best 1.5), of the training rows 1"


def test_steps_have_a_bar_each(terminal: io.StringIO) -> None:
    with steps_shown() as show:
        show("reading", 5, 10)
        show("predicting", 1, 4)
    assert "reading" in terminal.getvalue()
    assert "1 of 4" in terminal.getvalue()
