"""What is computed is kept, and the tables say what was counted."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import workers
from benchmarks.errors import UnfitError
from benchmarks.grids import Grid, markdown
from benchmarks.ledger import Ledger, code_hash
from benchmarks.pools import jobs
from benchmarks.pools.arms import ARMS, RandomEngine
from benchmarks.pools.calibration import MODELS, Model, Trial, chemistry, conduct_trial
from benchmarks.pools.engine import Arm, Engine, Plan, Record
from benchmarks.pools.jobs import Campaign, Fitting, Job, Unfit, World, work
from benchmarks.pools.report import Compared, arrivals, calibration, campaign_calibration, ratios, shares, zero_label
from benchmarks.pools.suite import HEAT
from benchmarks.pools.tasks import Setting
from benchmarks.pools.zero_label import Prior, judge_prior
from benchmarks.workers import Office, compute
from tests.benchmarks.crystal_tables import crystals, perovskite, setting

pytestmark = pytest.mark.slow

PLAN = Plan(initial=5, batch=5, total=20)


def unfit(_setting: Setting, _seed: int) -> Engine:
    """Refuse to work."""
    raise UnfitError("the compositions do not vary")


RANDOM = Arm("random", RandomEngine, "uniform choice", plan=PLAN)
UNFIT = Arm("unfit", unfit, "cannot", plan=PLAN)


def composition() -> Model:
    return next(model for model in MODELS if model.name == "composition")


def console() -> Console:
    return Console(file=io.StringIO(), width=160)


@pytest.fixture(scope="module")
def world() -> World:
    return World((setting("heat"),), (crystals(),))


@pytest.mark.timeout(120)
def test_what_is_on_record_is_not_computed_again(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[Job] = [Campaign(RANDOM, 0, 0), Campaign(UNFIT, 0, 0), Fitting(composition(), 0, Trial(HEAT, 30, 0))]
    file = tmp_path / "results.jsonl"
    first = compute(work(world), wanted, Office(world, Ledger(file), console(), 1, "jobs"))
    assert isinstance(first[wanted[1]], Unfit)
    kept = [wanted[0], wanted[2]]
    idle = lambda _run, left, _office: pytest.fail(f"computed {left}") if left else iter(())  # noqa: E731
    monkeypatch.setattr(workers, "_computed", idle)
    again = compute(work(world), kept, Office(world, Ledger(file), console(), 1, "jobs"))
    assert again == {job: first[job] for job in kept}


def test_a_line_that_a_kill_has_torn_never_counted(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    Ledger(file).add("whole", {"value": 1})
    with file.open("a") as torn:
        torn.write('{"key": "torn", "val')
    Ledger(file).add("later", {"value": 2})
    again = Ledger(file)
    found = [again.find(key) for key in ("whole", "torn", "later")]
    assert found == [{"key": "whole", "value": 1}, None, {"key": "later", "value": 2}]


def test_a_run_of_ours_is_void_when_the_code_changes_and_a_peers_is_not(world: World) -> None:
    ours = Arm("ours", RandomEngine, "us", code=("benchmarks/ledger.py",))
    other = Arm("ours", RandomEngine, "us", code=("benchmarks/grids.py",))
    keys = {jobs._key(Campaign(arm, 0, 0), world) for arm in (ours, other)}
    assert len(keys) == 2
    assert code_hash(("benchmarks/pools",)) == code_hash(("benchmarks/pools",))


def test_other_data_seeds_and_plans_are_other_runs(world: World) -> None:
    smaller = World((setting("heat", 100),), ())
    longer = Arm("random", RandomEngine, "uniform choice", plan=Plan())
    keys = {
        jobs._key(Campaign(RANDOM, 0, 0), world),
        jobs._key(Campaign(RANDOM, 0, 1), world),
        jobs._key(Campaign(longer, 0, 0), world),
        jobs._key(Campaign(RANDOM, 0, 0), smaller),
    }
    assert len(keys) == 4


def compared() -> Compared:
    """Return an arm of ours that finds the best row always, and another that finds it in every other seed."""
    task = setting("heat")
    (best,) = (int(row) for row in np.flatnonzero(task.best))
    rest = [row for row in range(30) if row != best]
    ours = Arm("ours", RandomEngine, "us", code=("benchmarks/ledger.py",))
    records = {seed: Record([best, *rest], [0.1], 1.0) for seed in range(4)}
    others = {seed: Record([best, *rest] if seed % 2 else rest, [0.2], 1.0) for seed in range(4)}
    return Compared(task, [ours, RANDOM, UNFIT], {"ours": records, "random": others}, {"unfit": "too dull"})


def test_tables_show_shares_arrivals_and_who_could_not_run() -> None:
    table = shares(compared())
    assert [row[:2] for row in table.rows] == [("ours", "4"), ("random", "4")]
    assert table.rows[0][2].startswith("1.000")
    assert table.rows[1][2].startswith("0.500")
    assert any("unfit cannot run: too dull" in note for note in table.notes)
    assert [row[1].split()[0] for row in arrivals(compared()).rows] == ["1", "never"]


def test_ours_are_compared_with_every_other_arm() -> None:
    (row,) = ratios([compared()]).rows
    assert row[:4] == ("heat", "ours", "random", "4")
    assert row[4].startswith("2.00")


def test_there_is_no_calibration_of_arms_that_predict_nothing() -> None:
    assert campaign_calibration([compared()]).rows == ()


def test_a_model_is_judged_on_the_chemistry_that_it_has_not_seen() -> None:
    table = crystals(120)
    mixed = tuple(perovskite("Sr", "Ti", "OOO" if i % 2 else "OON") for i in range(120))
    table = type(table)(table.name, table.ids, mixed, table.columns, table.views)
    seen: list[int] = []

    def fit(_quantity: object, rows: Iterable[int], values: object) -> object:
        seen.extend(rows)
        return lambda wanted: np.zeros((10, len(wanted)))

    conduct_trial(fit, table, Trial(HEAT, 20, 0))  # type: ignore[arg-type]
    assert len(seen) == 20
    assert len({chemistry(mixed[row]) for row in seen}) == 1


def test_calibration_is_gathered_over_seeds() -> None:
    model = composition()
    table = crystals()
    outcomes = {
        (model, trial): conduct_trial(model.begin(table), table, trial)
        for trial in (Trial(HEAT, 30, seed) for seed in range(2))
    }
    (row,) = calibration(outcomes).rows
    assert row[:4] == ("heat_all", "composition", "30", "2")


def test_rankings_are_judged_against_random_choice() -> None:
    task = setting("heat")
    right, wrong = judge_prior(task, task.merit), judge_prior(task, -task.merit)
    assert (right.found, right.share) == ((1, 1), 1.0)
    assert (wrong.found, wrong.spearman) == ((0, 0), pytest.approx(-1.0))
    assert right.expected[0] == pytest.approx(5 / len(task.pool))
    assert right.luck[0] == pytest.approx(5 / len(task.pool))
    assert right.rank[0] > 0.95 > 0.05 > wrong.rank[0]
    (row,) = zero_label([(task, Prior("right", lambda s: s.merit), right)]).rows
    assert row[:4] == ("heat", "right", "1.00", "1.00")


def test_grids_become_markdown() -> None:
    page = markdown([Grid("a title", ("arm", "x"), (("a|b", "1"),), ("a note",))])
    assert page.splitlines()[:5] == ["### a title", "", "| arm | x |", "| --- | ---: |", "| a\\|b | 1 |"]
    assert "a note" in page


def test_arms_have_names_of_their_own() -> None:
    assert len({arm.name for arm in ARMS}) == len(ARMS)
