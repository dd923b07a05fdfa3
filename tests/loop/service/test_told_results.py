"""Results that people tell of trials which were suggested, without any run."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.errors import CampaignError, StoreInUseError
from campaigns.load import load_campaign
from campaigns.values import TrialState
from loop.execution.options import RunOptions
from loop.run import run
from loop.service.journal_editor import JournalEditor, open_journal_editor
from loop.service.suggestions import suggest_batch
from loop.service.told_results import ToldResult, results_of, tell
from loop.storage.paths import default_store
from loop.storage.reader import Reader
from loop.storage.store import Store
from loop.terminal.requests_view import stored_requests
from tests.campaigns.lab.test_by_hand import FILE

pytestmark = pytest.mark.slow


class Bench:
    """A campaign by hand in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "coupling.yaml"
        self.file.write_text(FILE.replace("trials: 12", "trials: 8") + "planner: {initial: 3}\n", encoding="utf-8")
        self.url = default_store(self.file)

    def suggest(self, count: int) -> str:
        """Propose trials; return why there are no more."""
        text = self.file.read_text(encoding="utf-8")
        return suggest_batch(load_campaign(self.file), RunOptions(self.url, text, count), lambda _: None).reason

    @property
    def editor(self) -> JournalEditor:
        """Where results are told."""
        return open_journal_editor(self.file, self.url, "measured")

    def tell(self, *results: tuple[int, dict[str, str]]) -> list[str]:
        """Tell results; return what is said of it."""
        return list(tell(self.editor, [ToldResult(number, given) for number, given in results]))

    @property
    def store(self) -> Reader:
        """What is stored."""
        return Reader(self.url)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_a_table_lacks_is_said_by_the_names_of_its_columns(bench: Bench) -> None:
    campaign, table = load_campaign(bench.file), bench.file.with_name("results.csv")
    for text, why in (
        ("trial,yeild\n0,14\n", "has a column 'yeild', which is not read, did you mean 'yield'"),
        ("trial,yield\n0,\n", "has no result in any row; needed: a value in a column of yield, melting_point"),
    ):
        table.write_text(text, encoding="utf-8")
        with pytest.raises(CampaignError, match=why):
            results_of(table, campaign)


def test_what_was_suggested_is_asked_of_people_until_its_result_is_told(bench: Bench) -> None:
    bench.suggest(2)
    (asked,) = stored_requests(bench.store)
    assert asked.what.startswith("trials 0 and 1 wait to be done, and for their results; ")
    assert asked.answers[1].command == "trial tell 1 yield=VALUE melting_point=VALUE"
    given = {"yield": "14", "melting_point": "30"}
    bench.tell((0, given), (1, given))
    assert stored_requests(bench.store) == []


def test_suggest_and_tell_go_on_until_the_budget_is_spent(bench: Bench) -> None:
    assert "3 proposed" in bench.suggest(3)
    told = {"yield": "14.2", "yield_sd": "0.3", "melting_point": "300 K"}
    bench.tell((1, told), (0, {"yield": "0.35 ± 0.01", "melting_point": "21"}))
    trials = bench.store.trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETED, TrialState.COMPLETED, TrialState.QUEUED]
    assert trials[1].metrics["yield"].value == pytest.approx(14.2)
    assert trials[1].metrics["yield"].sd == pytest.approx(0.3)
    assert trials[1].metrics["melting_point"].value == pytest.approx(26.85)
    bench.tell((2, {"yield": "40", "melting_point": "25"}))
    assert "3 proposed" in bench.suggest(3)
    learnt = bench.store.trials()[4].proposal.learnt_from
    assert learnt == (1, 0, 2)  # in the order of the results
    assert "8" in bench.suggest(9)
    assert len(bench.store.trials()) == 8


def test_a_batch_is_the_same_however_it_is_asked_for(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other")
    bench.suggest(3)
    for _ in range(3):
        other.suggest(1)
    assert [t.candidate for t in bench.store.trials()] == [t.candidate for t in other.store.trials()]


def test_a_table_tells_all_results_or_none(bench: Bench, tmp_path: Path) -> None:
    bench.suggest(3)
    table = tmp_path / "results.csv"
    table.write_text("trial;yield [%];yield sd;melting_point [K]\n0;33,5;0,2;300\n1;;;\n2;abc;;310\n", encoding="utf-8")
    with pytest.raises(CampaignError, match="abc"):
        results_of(table, bench.editor.campaign)
    table.write_text(table.read_text(encoding="utf-8").replace("abc", "20"), encoding="utf-8")
    found = results_of(table, bench.editor.campaign)
    assert [told.trial for told in found] == [0, 2]  # the row without values was not measured yet
    list(tell(bench.editor, found))
    assert [trial.state for trial in bench.store.trials()].count(TrialState.COMPLETED) == 2
    with pytest.raises(CampaignError, match="trial 0 is completed"):
        tell(bench.editor, [*found, ToldResult(1, {"yield": "3", "melting_point": "20"})])
    assert bench.store.trials()[1].state is TrialState.QUEUED


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"yeld": "3"}, "did you mean 'yield'"),
        ({"melting_point": "20"}, "needed: yield"),
        ({"yield": "300", "melting_point": "20"}, "implausible"),
        ({"yield": "30 g", "melting_point": "20"}, "%"),
        ({"yield": "30", "yield_sd": "-1", "melting_point": "20"}, "not negative"),
        ({"yield_sd": "1", "melting_point": "20"}, "yield=VALUE"),
    ],
)
def test_what_cannot_be_a_result_changes_nothing(bench: Bench, given: dict[str, str], told: str) -> None:
    bench.suggest(1)
    with pytest.raises(CampaignError, match=told):
        bench.tell((0, given))
    assert bench.store.trials()[0].state is TrialState.QUEUED
    assert not bench.store.amendments()


def test_a_run_goes_on_with_what_was_suggested_and_takes_what_is_told_of_a_trial_that_it_asks_for(bench: Bench) -> None:
    bench.suggest(2)
    told: list[str] = []

    def on_event(event: object) -> None:
        if type(event).__name__ == "StepStarted":
            number = event.trial  # type: ignore[attr-defined]
            told.extend(bench.tell((number, {"yield": "12.5 ± 0.5 %", "melting_point": "30"})))

    text = bench.file.read_text(encoding="utf-8")
    result = run(load_campaign(bench.file), RunOptions(bench.url, text, 1), on_event)
    assert [trial.state for trial in result.trials] == [TrialState.COMPLETED] * 3
    assert result.trials[0].metrics["yield"].sd == pytest.approx(0.5)
    assert len(told) == 3


def test_a_store_that_another_process_runs_is_left_alone(bench: Bench) -> None:
    bench.suggest(1)
    store = Store(bench.url)
    try:
        with pytest.raises(StoreInUseError):
            bench.suggest(1)
    finally:
        store.close("")
    assert len(bench.store.trials()) == 1
