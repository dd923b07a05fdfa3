"""What the tables of trials and candidates say of scores and outcome constraints."""

from pathlib import Path

from rich.table import Table

from loop.core.candidate_results import results
from loop.storage.reader import BEST, POSTERIOR, Reader
from loop.storage.store import Store
from loop.terminal.status_view import status_rows
from loop.terminal.trial_tables import ShownRanking, ranking_table, trials_csv, trials_table
from tests import stores
from tests.trials import campaign, completed

OBJECTIVE = campaign().build_objective()
TRIALS = [completed(0, 100.0, 4.2), completed(1, 40.0)]
BROKEN = "breaks capacity >= 50 mAh/g (got 40.0 ± 2.0 mAh/g)"


def column(table: Table, head: str) -> list[str]:
    (found,) = (list(one.cells) for one in table.columns if str(one.header) == head)
    return [str(cell) for cell in found]


def test_a_ranking_shows_what_each_term_gives_to_the_score_and_which_constraint_is_broken() -> None:
    table = ranking_table(results(OBJECTIVE, TRIALS), ShownRanking({}, OBJECTIVE))
    assert column(table, "score from capacity") == ["7.50 ± 0.15", "3.00 ± 0.15"]
    assert column(table, "score from mean_voltage") == ["-0.500 ± 0.025", "0"]
    assert column(table, "feasible") == ["yes", f"no, {BROKEN}"]


def test_a_ranking_of_a_single_term_or_without_an_objective_shows_scores_alone() -> None:
    terms = [{"goal": "maximise", "metric": "capacity", "scale": "10 mAh/g"}]
    single = campaign(objective={"terms": terms}).build_objective()
    for objective in (single, None):
        table = ranking_table(results(OBJECTIVE, TRIALS), ShownRanking({}, objective))
        assert not any(str(one.header).startswith("score from") for one in table.columns)


def test_candidates_that_the_models_doubt_say_so() -> None:
    doubts = {0: "capacity >= 50 mAh/g with probability 0.31"}
    table = ranking_table(results(OBJECTIVE, TRIALS), ShownRanking({}, OBJECTIVE, doubts=doubts))
    assert column(table, "feasible")[0] == "yes, but the models doubt capacity >= 50 mAh/g with probability 0.31"


def test_status_says_what_the_models_doubt_of_the_best_measured_candidate(tmp_path: Path) -> None:
    url = f"sqlite:///{stores.fill(tmp_path).with_suffix('.db')}"
    store = Store(url)
    store.keep(POSTERIOR, BEST, {"found": None, "weighed": 0, "doubts": {"0": "capacity >= 1 with probability 0.4"}})
    store.close("")
    assert ("  the models doubt", "capacity >= 1 with probability 0.4") in status_rows(Reader(url))


def test_trials_name_the_constraints_that_they_break() -> None:
    assert column(trials_table(TRIALS, {}, None, OBJECTIVE), "reason") == ["", BROKEN]
    assert trials_csv(TRIALS, {}, objective=OBJECTIVE).splitlines()[2].endswith(f",space-filling,{BROKEN}")
