"""A campaign for a front on the virtual lab: killed and taken up, shown by every command."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from loop.cli.app import app
from loop.core.events import BestChanged, Finished, FrontGrew
from loop.storage.reader import Reader
from tests.forks import Program, athanor
from tests.loop.campaign_runs.test_run import facts
from tests.loop.conftest import Bench, quick

pytestmark = pytest.mark.slow

FRONT = {
    "find": {"kind": "pareto"},
    "terms": [
        {"goal": "maximise", "metric": "capacity", "scale": "20 mAh/g", "reference": "50 mAh/g"},
        {"goal": "maximise", "metric": "phase_fraction", "scale": 0.02, "reference": 0.2},
    ],
    "constraints": [{"metric": "mean_voltage", "at_least": "3700 mV"}],
}


def frontal(**changes: Any) -> dict[str, Any]:
    return quick(objective=FRONT, budget={"trials": 9}, **changes)


def run(folder: Path) -> Program:
    return athanor(folder, "run", "test.yaml")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("whole"))
    (bench.folder / "test.yaml").write_text(yaml.safe_dump(frontal(), sort_keys=False))
    bench.run(frontal())
    return bench


def test_the_front_grows_and_is_told_at_the_end(whole: Bench) -> None:
    grown = [e for e in whole.events if isinstance(e, FrontGrew)]
    (finished,) = [e for e in whole.events if isinstance(e, Finished)]
    assert grown
    assert all(e.trial in e.front.numbers for e in grown)
    assert not any(isinstance(e, BestChanged) for e in whole.events)
    assert finished.front is not None
    assert finished.front.volume == max(e.front.volume for e in grown)
    assert any(t.proposal.generator == "model" for t in Reader(whole.url).trials())


def test_killed_and_resumed_gives_the_same_trials(whole: Bench, tmp_path: Path) -> None:
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(frontal(), sort_keys=False))
    process = run(tmp_path)
    for line in process.output:
        if "trial 7: proposed (model)" in line:
            process.send_signal(signal.SIGKILL)
            break
    assert process.end()[1] == -signal.SIGKILL
    output, code = run(tmp_path).end()
    assert code == 0, output
    assert "on the front, which dominates" in output
    found = tuple(Reader(f"sqlite:///{tmp_path / 'test.db'}").trials())
    assert facts(found) == facts(tuple(Reader(whole.url).trials()))


def test_every_command_shows_the_front(whole: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole.folder)

    def said(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, "--store", whole.url])
        assert result.exit_code == 0, result.output
        return result.output

    (finished,) = [e for e in whole.events if isinstance(e, Finished)]
    assert finished.front is not None
    number = finished.front.candidates[0].number
    assert "on the front, which dominates" in said("status", "test.yaml")
    assert f"trial {number}: capacity" in said("status", "test.yaml")
    header, *rows = said("trials", "test.yaml", "--csv").splitlines()
    place = header.split(",").index("front")
    assert {int(r.split(",")[0]) for r in rows if r.split(",")[place] == "true"} == finished.front.numbers
    assert "phase_fraction" in said("trials", "test.yaml").splitlines()[0]
    shown = said("show", str(number), "test.yaml")
    assert "on the front" in shown
    assert "expected cost" in shown
    assert "score" not in shown


def test_the_report_shows_the_front_in_place_of_a_best_candidate(whole: Bench) -> None:
    result = CliRunner().invoke(app, ["report", "--store", whole.url, "--out", str(whole.folder / "front.html")])
    assert result.exit_code == 0, result.output
    page = (whole.folder / "front.html").read_text(encoding="utf-8")
    assert 'id="front"' in page
    assert 'id="volume"' in page
    assert 'id="ranking"' not in page
    assert "candidates on the front" in page


def test_a_volume_that_is_reached_ends_the_campaign(bench_of: Callable[[str], Bench]) -> None:
    rules = [{"kind": "hypervolume", "reaches": 1.0}]
    outcome = bench_of("short").run(frontal(stopping=rules))
    assert "has reached the volume 1" in outcome.reason
    assert len(outcome.trials) < 9
