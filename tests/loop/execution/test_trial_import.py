"""What was measured elsewhere becomes trials: of tables of the file's history, and of those that are imported."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from campaigns.amendments import ImportTrials, MeasuredRow
from campaigns.campaign import Campaign
from campaigns.decisions import WithdrawTrial
from campaigns.errors import CampaignError, StoreError
from campaigns.values import TrialState
from loop.cli.app import app
from loop.cli.exit_codes import ExitCode
from loop.cli.import_command import import_table
from loop.core.events import Event, Proposed
from loop.core.fingerprint import campaign_record
from loop.core.proposals import IMPORTED
from loop.planning.planner import Planner
from loop.storage.journal_writer import Journal
from loop.storage.reader import Reader
from loop.storage.store import Store
from surrogates.models.encoder import Encoder
from tests.forks import forked
from tests.loop.campaign_runs.test_run import facts
from tests.loop.conftest import Bench, quick
from tests.stores import CAMPAIGN, fill


def athanor(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


HEAD = (
    "temperature [degC],time [h],ramp_rate [degC/min],lithium_excess [percent],atmosphere,"
    "capacity [mAh/g],mean_voltage [V],phase_fraction\n"
)


def row(number: int, capacity: float = 180.0) -> str:
    """Return a row of a table for the calcination campaign, another for each number."""
    gas = ("air", "oxygen", "argon")[number % 3]
    return (
        f"{700 + 10 * number},{6 + number},{(2, 5, 10)[number % 3]},{number % 11},{gas},{capacity + number},3.8,0.9\n"
    )


def table(folder: Path, *rows: str, name: str = "measured.csv") -> Path:
    (folder / name).write_text(HEAD + "".join(rows))
    return folder / name


def with_history(file: Path, **changes: Any) -> dict[str, Any]:
    """Return a quick campaign of which some trials were measured before."""
    return quick(history=[{"kind": "table", "name": "notebook", "file": str(file)}], **changes)


@pytest.mark.slow
def test_the_rows_of_the_history_are_trials_and_the_model_chooses_from_the_first_proposal_on(bench: Bench) -> None:
    rows = [row(n) for n in range(12)]
    outcome = bench.run(with_history(table(bench.folder, *rows)), max_trials=2)
    before, own = outcome.trials[:12], outcome.trials[12:]
    assert [t.proposal.generator for t in before] == [IMPORTED] * 12
    assert [t.proposal.generator for t in own] == ["model"] * 2
    assert [t.metrics["capacity"].value for t in before] == [180.0 + n for n in range(12)]
    assert all(t.state is TrialState.COMPLETED and t.score is not None and t.feasible is not None for t in before)
    assert [t.completed_order for t in before] == list(range(12))
    assert "row 5 of " in before[3].proposal.reason
    assert "measured.csv, imported by " in before[3].proposal.reason
    assert not {t.candidate.key() for t in own} & {t.candidate.key() for t in before}
    assert [t.counted for t in outcome.trials] == [False] * 12 + [True] * 2
    assert set(own[0].proposal.learnt_from) == set(range(12))


@pytest.mark.slow
def test_a_table_that_has_grown_is_taken_over_by_the_next_run_and_one_that_has_changed_is_refused(bench: Bench) -> None:
    rows = [row(n) for n in range(6)]
    data = with_history(table(bench.folder, *rows))
    bench.run(data, max_trials=1)
    table(bench.folder, row(20), *reversed(rows))  # sorted the other way, with a new row on top
    outcome = bench.run(data, max_trials=1)
    assert [t.number for t in outcome.trials if t.imported] == [*range(6), 7]
    assert outcome.trials[7].metrics["capacity"].value == 200.0
    table(bench.folder, *rows[1:], row(0, capacity=181.0), row(20))
    with pytest.raises(CampaignError) as caught:
        bench.run(data, max_trials=1)
    (problem,) = caught.value.problems
    assert "measured.csv row 2 (" in problem.message
    assert "is trial 0, and has changed or vanished since; put it back" in problem.message
    assert "athanor trial withdraw 0" in problem.message
    assert len(Reader(bench.url).trials()) == len(outcome.trials)


def killed_at(bench: Bench, words: str) -> None:
    """Run a campaign with a history until a method of the store is called for the first time, then die."""
    real = getattr(Store, words)

    def die(self: Store, *arguments: Any) -> None:
        real(self, *arguments) if words == "import_trials" else None
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Store, words, die)
    bench.run(with_history(bench.folder.parent / "measured.csv"), max_trials=3)


def resumed(bench: Bench) -> None:
    bench.run(with_history(bench.folder.parent / "measured.csv"), max_trials=3)


@pytest.mark.slow
def test_killed_while_importing_equals_uninterrupted(tmp_path: Path) -> None:
    found = []
    table(tmp_path, *(row(n) for n in range(8)))
    for moments in ((), ("amend", "import_trials", "propose")):
        bench = Bench(tmp_path / f"killed-{len(moments)}")
        bench.folder.mkdir()
        for moment in moments:
            assert forked(killed_at, bench, moment) == -signal.SIGKILL, moment
        assert forked(resumed, bench) == 0
        found.append(tuple(Reader(bench.url).trials()))
    assert facts(found[0]) == facts(found[1])
    assert [t.proposal.generator for t in found[0]] == [IMPORTED] * 8 + ["model"] * 3


@pytest.mark.slow
def test_a_run_that_goes_on_takes_over_what_is_imported_meanwhile(bench: Bench) -> None:
    file = table(bench.folder, *(row(n) for n in range(8)))

    def on_event(event: Event) -> None:
        if isinstance(event, Proposed) and event.trial == 1:
            told.extend(import_table(file, None, bench.url, "found the notebook"))

    told: list[str] = []
    outcome = bench.run(quick(), on_event, max_trials=5)
    assert told[-1] == "the run that goes on makes trials of them before its next proposal"
    (imported,) = Reader(bench.url).amendments()
    assert imported.first == 2
    assert [t.number for t in outcome.trials if t.imported] == list(range(2, 10))
    assert [t.proposal.modelled for t in outcome.trials[10:]] == [True] * 3
    assert sum(t.counted for t in outcome.trials) == 5


@pytest.mark.slow
def test_a_queued_trial_whose_candidate_is_imported_meanwhile_is_withdrawn(bench: Bench) -> None:
    def on_event(event: Event) -> None:
        if isinstance(event, Proposed) and event.trial == 2:
            values = {**event.candidate.parameters, "capacity": 180.0, "mean_voltage": 3.8, "phase_fraction": 0.9}
            file = bench.folder / "measured.csv"
            file.write_text(",".join(values) + "\n" + ",".join(map(str, values.values())) + "\n")
            list(import_table(file, None, bench.url, "found the notebook"))

    outcome = bench.run(quick(), on_event, max_trials=4)
    same = [t for t in outcome.trials if t.candidate == outcome.trials[2].candidate]
    assert [(t.state, t.imported) for t in same] == [(TrialState.WITHDRAWN, False), (TrialState.COMPLETED, True)]
    assert same[0].reason == f"it is measured: trial {same[1].number}"
    assert not same[0].steps


def without_phases(rows: list[str]) -> list[str]:
    """Return rows of which the phases have yet to be measured."""
    return [one.replace(",0.9\n", ",\n") for one in rows]


@pytest.mark.slow
def test_a_column_that_is_filled_in_later_completes_the_trials(bench: Bench) -> None:
    rows = [row(n) for n in range(8)]
    data = with_history(table(bench.folder, *without_phases(rows)))
    before = bench.run(data, max_trials=1).trials
    assert all(t.score is None for t in before[:8])
    table(bench.folder, *rows[:5], *without_phases(rows[5:]))
    outcome = bench.run(data, max_trials=1)
    assert [t.number for t in outcome.trials if t.imported] == list(range(8))
    assert [t.score is not None for t in outcome.trials[:8]] == [True] * 5 + [False] * 3
    assert all(t.metrics["phase_fraction"].value == 0.9 for t in outcome.trials[:5])
    assert outcome.trials[0].proposal == before[0].proposal
    life = [change.reason for change in Reader(bench.url).transitions(0)]
    assert life[-1].startswith("phase_fraction 0.9: row 2 of ")
    own = outcome.trials[-1]
    planner = Planner(Campaign(**data), Encoder(Campaign(**data).space))  # as after a kill
    planner.recall(outcome.trials[: own.number])
    assert planner.suggest()[1] == own.candidate


@pytest.mark.slow
def test_a_run_that_goes_on_completes_trials(bench: Bench) -> None:
    rows = [row(n) for n in range(8)]
    file = table(bench.folder, *without_phases(rows))

    def on_event(event: Event) -> None:
        if isinstance(event, Proposed) and event.trial == 9:
            told.extend(import_table(table(bench.folder, *rows, name="full.csv"), None, bench.url, "XRD"))

    told: list[str] = []
    outcome = bench.run(with_history(file), on_event, max_trials=4)
    assert "0 new, 0 already there, 8 with more than before" in told
    assert all(t.score is not None for t in outcome.trials[:8])
    assert sum(t.imported for t in outcome.trials) == 8
    assert {*range(8)} <= set(outcome.trials[-1].proposal.learnt_from)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign file of one parameter and one metric, without a store."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(CAMPAIGN)
    return tmp_path / "small.yaml"


@pytest.mark.slow
def test_a_run_forgets_what_was_imported_and_is_withdrawn(bench: Bench) -> None:
    rows = [row(n) for n in range(8)]
    data = with_history(table(bench.folder, row(9, capacity=999.0), *rows))
    bench.run(data, max_trials=1)
    Journal(bench.url).amend([WithdrawTrial(trial=0)], ("ada", "a slip of the pen"), {})
    table(bench.folder, row(9), *rows)  # the row is corrected
    outcome = bench.run(data, max_trials=1)
    first, *_, again, own = outcome.trials
    assert (first.state, again.proposal.generator, own.proposal.generator) == (TrialState.WITHDRAWN, IMPORTED, "model")
    assert set(own.proposal.learnt_from) == set(range(1, own.number))
    assert not first.counted
    planner = Planner(Campaign(**data), Encoder(Campaign(**data).space))  # as after a kill
    planner.recall(outcome.trials[: own.number])
    assert planner.suggest()[1] == own.candidate


SHORT = "temperature [K],capacity [mAh/g],capacity sd [mAh/g]\n873.15,150,2\n973.15,170,2\n973.15,172,2\n1500,90,2\n"


@pytest.mark.slow
def test_a_table_is_imported_before_the_first_run(small: Path) -> None:
    (small.parent / "old.csv").write_text(SHORT)
    result = athanor("trial", "import", "old.csv", "small.yaml", "--reason", "last year")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "old.csv: 4 rows: 4 used, 0 left out",
        "row 5: temperature lies outside of the space (allowed: numbers from 500 to 900 degC): the models use it",
        "4 new, 0 already there",
        "amendment 1: 4 measurements imported from old.csv, trials 0 to 3",
    ]
    trials = Reader(f"sqlite:///{small.with_suffix('.db')}").trials()
    assert [t.candidate.parameters["temperature"] for t in trials] == pytest.approx([600, 700, 700, 1226.85])
    assert [t.score for t in trials] == pytest.approx([15.0, 17.0, 17.2, 9.0])  # replicates, and beyond the bounds
    assert trials[0].metrics["capacity"].sd == pytest.approx(2.0)
    assert "trials: 0 of 10, 4 imported" in athanor("status").output
    assert "imported" in athanor("trials", "--csv").output


@pytest.mark.slow
def test_nothing_is_imported_twice(small: Path) -> None:
    (small.parent / "old.csv").write_text(SHORT)
    athanor("trial", "import", "old.csv", "small.yaml", "--reason", "x")
    again = athanor("trial", "import", "old.csv", "--reason", "x")
    assert again.output.splitlines()[0] == "old.csv: 4 rows: 4 used, 0 left out"
    assert again.output.splitlines()[-1] == "0 new, 4 already there"
    (small.parent / "renamed.csv").write_text(SHORT + "1000,160,2\n")
    other = athanor("trial", "import", "renamed.csv", "--reason", "x")
    assert "1 new, 4 already there" in other.output
    (small.parent / "own.csv").write_text(athanor("trials", "--csv").output)
    assert "0 new, 5 already there" in athanor("trial", "import", "own.csv", "--reason", "x").output
    assert len(Reader(f"sqlite:///{small.with_suffix('.db')}").trials()) == 5


def test_what_was_measured_here_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path)
    (tmp_path / "own.csv").write_text(athanor("trials", "--csv").output)
    result = athanor("trial", "import", "own.csv", "--reason", "x")
    assert "0 new, 1 already there" in result.output, result.output


@pytest.mark.slow
def test_an_imported_row_that_was_wrong_is_withdrawn_and_imported_anew(small: Path) -> None:
    (small.parent / "old.csv").write_text(SHORT)
    athanor("trial", "import", "old.csv", "small.yaml", "--reason", "x")
    (small.parent / "old.csv").write_text(SHORT.replace("873.15,150", "873.15,155"))
    refused = athanor("trial", "import", "old.csv", "--reason", "x")
    assert refused.exit_code == ExitCode.INVALID
    assert "old.csv row 2 (temperature 600: capacity 150.0 ± 2.0 mAh/g) is trial 0" in refused.output
    assert athanor("trial", "withdraw", "0", "--reason", "a slip of the pen").exit_code == 0
    again = athanor("trial", "import", "old.csv", "--reason", "corrected")
    assert "1 new, 3 already there" in again.output


@pytest.mark.slow
def test_contradicting_rows_are_told_together_and_withdrawn_together(small: Path) -> None:
    (small.parent / "old.csv").write_text(SHORT)
    athanor("trial", "import", "old.csv", "small.yaml", "--reason", "x")
    (small.parent / "old.csv").write_text(SHORT.replace(",17", ",16"))
    refused = athanor("trial", "import", "old.csv", "--reason", "x")
    assert "old.csv rows 3-4 (row 3: temperature 700: capacity 170.0 ± 2.0 mAh/g) are trials 1-2" in refused.output
    assert "withdraw the trials (athanor trial withdraw 1-2 --reason '...')" in refused.output
    for words in (["7"], ["0", "7"], ["x"], []):
        assert athanor("trial", "withdraw", *words, "small.yaml", "--reason", "x").exit_code == ExitCode.INVALID
    assert athanor("trial", "withdraw", "1-2", "--reason", "a slip of the pen").exit_code == 0
    assert "2 new, 2 already there" in athanor("trial", "import", "old.csv", "--reason", "corrected").output


@pytest.mark.slow
def test_uncertainties_that_are_added_later_complete_the_trials_whatever_the_table_is_called(small: Path) -> None:
    bare = "".join(",".join(line.split(",")[:2]) + "\n" for line in SHORT.splitlines())
    (small.parent / "old.csv").write_text(bare)
    athanor("trial", "import", "old.csv", "small.yaml", "--reason", "x")
    (small.parent / "new.csv").write_text(SHORT)
    again = athanor("trial", "import", "new.csv", "--reason", "with uncertainties")
    assert again.output.splitlines()[-2:] == [
        "0 new, 0 already there, 4 with more than before",
        "amendment 2: 4 trials completed from new.csv, done",
    ]
    trials = Reader(f"sqlite:///{small.with_suffix('.db')}").trials()
    assert [t.metrics["capacity"].sd for t in trials] == [2.0] * 4
    assert all(t.score_sd == pytest.approx(0.2) for t in trials)
    for name in ("old.csv", "new.csv"):
        assert "0 new, 4 already there" in athanor("trial", "import", name, "--reason", "x").output
    assert athanor("trial", "withdraw", "0", "--reason", "x").exit_code == 0
    (small.parent / "third.csv").write_text(SHORT)
    assert "0 new, 4 already there" in athanor("trial", "import", "third.csv", "--reason", "x").output


@pytest.mark.slow
def test_a_table_that_a_spreadsheet_has_rounded_is_there_already_and_said_to_be(small: Path) -> None:
    head = "temperature,capacity,capacity sd\n"
    (small.parent / "old.csv").write_text(f"{head}600,160.12345678901234,1.2345678\n700,170.98765432109876,1.5\n")
    athanor("trial", "import", "old.csv", "small.yaml", "--reason", "x")
    (small.parent / "own.csv").write_text(f"{head}600,160.123,1.23\n700,170.988,1.5\n")
    told = athanor("trial", "import", "own.csv", "--reason", "x").output
    assert "0 new, 2 already there" in told, told
    assert "rows 2-3: measured already, to the digits that are written: not imported again" in told
    (small.parent / "old.csv").write_text(f"{head}600,160.1234568,1.234568\n700,170.9876543,1.5\n")
    assert "0 new, 2 already there" in athanor("trial", "import", "old.csv", "--reason", "saved again").output
    (small.parent / "other.csv").write_text(f"{head}600,160.124,1.23\n700,170.988,1.5\n")
    assert "1 new, 1 already there" in athanor("trial", "import", "other.csv", "--reason", "x").output


@pytest.mark.slow
def test_a_ranking_is_no_table_of_readings(small: Path) -> None:
    (small.parent / "old.csv").write_text(SHORT)
    athanor("trial", "import", "old.csv", "small.yaml", "--reason", "x")
    (small.parent / "ranking.csv").write_text(athanor("ranking", "--csv").output)
    refused = athanor("trial", "import", "ranking.csv", "--reason", "x")
    assert refused.exit_code == ExitCode.INVALID
    assert "ranking.csv is a ranking, of means of readings that may be trials already" in refused.output
    assert len(Reader(f"sqlite:///{small.with_suffix('.db')}").trials()) == 4


@pytest.mark.slow
def test_what_comes_to_be_suspected_in_an_earlier_store_stays_imported(tmp_path: Path) -> None:
    fill(tmp_path)
    store = Store(f"sqlite:///{tmp_path / 'small.db'}")
    (tmp_path / "next.yaml").write_text(CAMPAIGN)
    first = list(import_table(tmp_path / "small.db", tmp_path / "next.yaml", None, "x"))
    assert first[-2] == "1 new, 0 already there"
    store.set_outliers({0: "a spike"})
    store.close("")
    assert list(import_table(tmp_path / "small.db", tmp_path / "next.yaml", None, "x"))[-1] == "0 new, 0 already there"
    (trial,) = Reader(f"sqlite:///{tmp_path / 'next.db'}").trials()
    assert trial.proposal.reason.startswith("measurement 0 of small.db, imported by ")


@pytest.mark.slow
def test_what_two_people_import_at_once_is_imported_once(small: Path) -> None:
    (small.parent / "old.csv").write_text(SHORT)
    athanor("trial", "import", "old.csv", "small.yaml", "--reason", "x")
    journal = Journal(f"sqlite:///{small.with_suffix('.db')}")
    journal.amend([journal.amendments()[0].change], ("bob", "at the same time"), {})
    (small.parent / "more.csv").write_text(SHORT.replace(",150,", ",151,"))
    result = athanor("trial", "import", "more.csv", "--reason", "x")
    assert "imported from old.csv, refused: amendment 1 imports the same rows" in result.output
    assert len(journal.trials()) == 5


def test_nothing_is_written_without_a_table_a_campaign_or_a_reason(small: Path) -> None:
    (small.parent / "old.csv").write_text(SHORT)
    for words in (["none.csv", "small.yaml"], ["old.csv", "other.csv", "small.yaml"], ["old.csv"], ["small.yaml"]):
        result = athanor("trial", "import", *words, "--reason", "x")
        assert result.exit_code in (ExitCode.INVALID, ExitCode.STORE), (words, result.output)
    assert athanor("trial", "import", "old.csv", "small.yaml", "--reason", " ").exit_code == ExitCode.INVALID
    assert not small.with_suffix(".db").exists()


def test_before_the_first_trial_the_file_may_still_change_but_not_what_the_rows_mean(small: Path) -> None:
    (small.parent / "old.csv").write_text(SHORT)
    athanor("trial", "import", "old.csv", "small.yaml", "--reason", "x")
    begin(CAMPAIGN.replace("10 mAh/g", "20 mAh/g"), small)
    with pytest.raises(StoreError, match="changed since in space; put that back"):
        begin(CAMPAIGN.replace("degC", "K"), small)


def begin(text: str, file: Path) -> None:
    """Begin a session with another text of the campaign file."""
    store = Store(f"sqlite:///{file.with_suffix('.db')}")
    try:
        store.begin(campaign_record(Campaign(**yaml.safe_load(text)), text), {})
    finally:
        store.close("")


def measured(rows: list[tuple[dict[str, Any], float]]) -> ImportTrials:
    return ImportTrials(table="t.csv", rows=tuple(
        MeasuredRow(row=i, parameters=p, metrics={"merit": (v, 0.0, "1")}) for i, (p, v) in enumerate(rows, 2)
    ))  # fmt: skip
