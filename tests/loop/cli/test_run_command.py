"""``athanor run`` as a user meets it: in a process of its own, on the virtual lab."""

import re
import signal
import time
from pathlib import Path

import pytest

from campaigns.errors import CampaignError
from campaigns.load import load_campaign
from loop.cli.exit_codes import ExitCode
from loop.cli.run_command import Request, exit_of, overridden
from loop.execution.options import SessionResult
from loop.storage.reader import Reader
from tests.forks import athanor

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@pytest.fixture
def campaign_file(tmp_path: Path) -> Path:
    text = (ROOT / "campaigns" / "calcination.yaml").read_text()
    file = tmp_path / "calcination.yaml"
    file.write_text(re.sub(r"\nstopping:.*", "\n", text, flags=re.DOTALL))
    return file


def run(*words: str | Path) -> tuple[str, int | None]:
    return athanor(ROOT, *map(str, words)).end()


def interrupted(file: Path, signals: int) -> tuple[str, int | None]:
    """Run a campaign, send SIGINT as soon as its second trial is under way, and return output and exit code."""
    process = athanor(ROOT, "run", str(file), "--max-trials", "8")
    lines: list[str] = []
    for line in process.output:
        lines.append(line)
        if "trial 1: calcine begins" in line:
            for _ in range(signals):
                process.send_signal(signal.SIGINT)
                time.sleep(0.05)  # two pending signals of one kind would count as one
    return "".join(lines), process.end()[1]


def test_ctrl_c_finishes_what_is_under_way_and_run_goes_on(campaign_file: Path) -> None:
    output, code = interrupted(campaign_file, 1)
    assert code == ExitCode.INTERRUPTED
    begun = {int(n) for n in re.findall(r"trial (\d+): calcine begins", output)}
    assert 1 in begun
    assert max(begun) < 7
    before = run("trials", campaign_file, "--csv")[0].splitlines()

    output, code = run("run", campaign_file, "--max-trials", "1")
    assert code == ExitCode.FINISHED, output
    after = run("trials", campaign_file, "--csv")[0].splitlines()
    assert len(after) == len(before) + 1
    ended = [row for row in before if ",completed," in row]
    assert set(ended) <= set(after)
    assert "peak memory" in output
    (wall_time,) = re.findall(r"^wall time: .*$", output, flags=re.MULTILINE)
    assert f"{wall_time} of 10 min\n" in run("status", campaign_file)[0], "both over all sessions"


def test_ctrl_c_twice_aborts_and_run_goes_on(campaign_file: Path) -> None:
    _, code = interrupted(campaign_file, 2)
    assert code == ExitCode.ABORTED
    output, code = run("run", campaign_file, "--max-trials", "1")
    assert code == ExitCode.FINISHED, output
    states = [row.split(",")[1] for row in run("trials", campaign_file, "--csv")[0].splitlines()[1:]]
    assert set(states) <= {"completed", "quarantined", "failed", "uncertain"}


def test_a_dry_run_proposes_and_leaves_nothing(campaign_file: Path) -> None:
    output, code = run("run", campaign_file, "--dry-run", "--max-trials", "2")
    assert code == 0, output
    assert re.findall(r"trial (\d+): proposed", output) == ["0", "1"]
    assert "dry run: 2 proposals, as --max-trials says, each without the results of those before" in output
    assert [path.name for path in campaign_file.parent.iterdir()] == ["calcination.yaml"]


def test_seed_and_lab_of_the_command_line_win(campaign_file: Path) -> None:
    campaign = load_campaign(campaign_file)
    assert overridden(campaign, Request(campaign_file)) is campaign
    changed = overridden(campaign, Request(campaign_file, seed=11, lab="epics"))
    assert (changed.seed, changed.lab.kind) == (11, "epics")
    assert changed.space == campaign.space
    same = overridden(campaign, Request(campaign_file, lab="virtual"))
    assert same.lab == campaign.lab  # with its rehearsed faults


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (SessionResult("done", finished=True), ExitCode.FINISHED),
        (SessionResult("enough", finished=False), ExitCode.FINISHED),
        (SessionResult("Ctrl-C", finished=False, interrupted=True), ExitCode.INTERRUPTED),
        (SessionResult("Ctrl-C", finished=False, interrupted=True, aborted=True), ExitCode.ABORTED),
    ],
    ids=lambda value: value.name if isinstance(value, ExitCode) else "",
)
def test_each_ending_has_its_exit_code(outcome: SessionResult, code: ExitCode) -> None:
    assert exit_of(outcome) is code


def test_what_a_strategy_does_not_use_is_said_and_the_store_keeps_the_whole_file(campaign_file: Path) -> None:
    text = (
        re.sub(r"\nplanner:.*", "", campaign_file.read_text())
        + "\nplanner: {strategy: 'their_sobol:strategy', initial: 4}\n"
    )
    campaign_file.write_text(text)
    (campaign_file.parent / "their_sobol.py").write_text(
        "from ax.adapter.registry import Generators\n"
        "from ax.core.experiment import Experiment\n"
        "from ax.generation_strategy.generation_node import GenerationNode\n"
        "from ax.generation_strategy.generator_spec import GeneratorSpec\n"
        "def strategy(experiment: Experiment) -> list[GenerationNode]:\n"
        "    return [GenerationNode('Sobol', [GeneratorSpec(Generators.SOBOL)])]\n"
    )
    output, code = run("run", campaign_file, "--max-trials", "1")
    assert code == ExitCode.FINISHED, output
    assert "not used" in output
    assert Reader(f"sqlite:///{campaign_file.with_suffix('.db')}").campaign().source == text


def test_a_wrong_file_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: x\n")
    output, code = run("run", tmp_path / "bad.yaml")
    assert code == ExitCode.INVALID
    assert "seed: is missing" in output
    with pytest.raises(CampaignError):
        load_campaign(tmp_path / "bad.yaml")


def test_what_is_found_wrong_while_it_runs_has_its_line_in_the_file(campaign_file: Path) -> None:
    (campaign_file.parent / "own_pool_offline.py").write_text("def pool():\n    raise OSError('no database')\n")
    text = campaign_file.read_text().replace(
        "\nspace:\n", "\nspace:\n  pool: {kind: generator, function: 'own_pool_offline:pool'}\n"
    )
    campaign_file.write_text(text)
    line = text.splitlines().index("  pool: {kind: generator, function: 'own_pool_offline:pool'}") + 1
    output, code = run("run", campaign_file)
    assert code == ExitCode.INVALID, output
    assert f"calcination.yaml:{line}: space.pool: own_pool_offline:pool raised OSError: no database (" in output
