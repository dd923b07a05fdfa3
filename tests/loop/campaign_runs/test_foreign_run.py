"""Runs with a generation strategy of the user's own, in a process of its own: killed, broken, and gone on with."""

import signal
from pathlib import Path

import pytest
import yaml

from campaigns.values import TrialState
from loop.cli.exit_codes import ExitCode
from loop.core.records import TrialRecord
from loop.storage.reader import Reader
from tests.forks import athanor
from tests.loop.campaign_runs.test_run import facts
from tests.loop.conftest import quick

pytestmark = pytest.mark.slow

STRATEGY = """\
import os, random, signal, sys
from pathlib import Path

import numpy as np
import torch
from ax.adapter.registry import Generators
from ax.generation_strategy.external_generation_node import ExternalGenerationNode
from ax.generation_strategy.generation_node import GenerationNode
from ax.generation_strategy.generator_spec import GeneratorSpec
from ax.generation_strategy.transition_criterion import MinTrials


class Dice(ExternalGenerationNode):
    def update_generator_state(self, experiment, data):
        self.number = len(experiment.trials)
        self.latest = max(data.df["mean"], default=0.0)

    def get_next_candidate(self, pending_parameters):
        if self.number == 3 and Path("kill").exists():
            Path("kill").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.number == 3 and Path("exit").exists():
            sys.exit(0)
        shares = [random.random(), float(np.random.random()), float(torch.rand(())), self.latest % 1.0]
        return {
            "temperature": 700.0 + 200.0 * shares[0],
            "time": 5.0 + 10.0 * shares[1],
            "ramp_rate": [2.0, 5.0, 10.0][int(3 * shares[2])],
            "lithium_excess": int(1 + 5 * shares[3]),
            "atmosphere": "air",
        }


def strategy(experiment):
    sobol = GeneratorSpec(Generators.SOBOL, generator_kwargs={"seed": 1})
    return [GenerationNode("Sobol", [sobol], transition_criteria=[MinTrials(2, "Dice")]), Dice("Dice")]
"""


def prepared(folder: Path) -> Path:
    folder.mkdir()
    (folder / "their_dice.py").write_text(STRATEGY)
    data = quick(budget={"trials": 6}, planner={"strategy": "their_dice:strategy"})
    (folder / "test.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return folder


def run(folder: Path) -> tuple[str, int | None]:
    return athanor(folder, "run", "test.yaml").end()


def trials(folder: Path) -> tuple[TrialRecord, ...]:
    return tuple(Reader(f"sqlite:///{folder / 'test.db'}").trials())


def test_killed_in_the_midst_of_a_proposal_equals_uninterrupted(tmp_path: Path) -> None:
    whole, killed = prepared(tmp_path / "whole"), prepared(tmp_path / "killed")
    assert run(whole)[1] == ExitCode.FINISHED
    (killed / "kill").touch()
    assert run(killed)[1] == -signal.SIGKILL
    assert len(trials(killed)) == 3
    assert run(killed)[1] == ExitCode.FINISHED
    assert facts(trials(killed)) == facts(trials(whole))


def test_an_exit_in_a_node_is_told_once_what_was_begun_is_finished_and_the_run_goes_on(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "broken")
    (folder / "exit").touch()
    output, code = run(folder)
    assert code == ExitCode.MODEL
    assert "planner.strategy: node Dice of their_dice:strategy raised SystemExit: 0 (" in output
    assert "their_dice.py:" in output
    assert [trial.state for trial in trials(folder)] == [TrialState.COMPLETED] * 3
    (folder / "exit").unlink()
    assert run(folder)[1] == ExitCode.FINISHED
    assert len(trials(folder)) == 6
