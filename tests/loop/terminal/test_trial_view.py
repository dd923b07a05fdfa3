"""What show prints of a trial: each thing once."""

from dataclasses import replace

from rich.console import Console
from rich.table import Table

from campaigns.values import Candidate, TrialState
from loop.core.formatting import why_text
from loop.core.proposals import Alternative, Proposal
from loop.core.records import Document
from loop.terminal.trial_view import (
    _alternatives,
    _document_rows,
    _proposal_rows,
    _steps_table,
    _terms_table,
    _trial_rows,
)
from tests.trials import attempt, campaign, completed, predicted, trial

UNITS = {"temperature": "degC", "time": "h"}


def at(temperature: float, time: float, gas: str = "air") -> Candidate:
    return Candidate({"temperature": temperature, "time": time, "atmosphere": gas})


OBJECTIVE = campaign().build_objective()


def rendered(table: Table) -> str:
    console = Console(width=300)
    with console.capture() as shown:
        console.print(table)
    return "\n".join(line.strip() for line in shown.get().splitlines())


def heads(table: Table) -> list[str]:
    return [str(column.header) for column in table.columns]


def test_alternatives_stand_there_with_their_acquisition() -> None:
    found = [at(862.1, 28.5, "argon"), at(700.0, 28.4)]
    proposal = Proposal("model", alternatives=tuple(Alternative(one, -1.7) for one in found))
    proposed = replace(trial(0, TrialState.QUEUED), candidate=at(862.4, 28.42), proposal=proposal)
    assert list(_alternatives(proposed, UNITS)) == [
        ("not chosen (-1.7)", "temperature 862.1 degC, time 28.5 h, atmosphere argon"),
        ("not chosen (-1.7)", "temperature 700 degC, time 28.4 h, atmosphere air"),
    ]


def test_a_reason_stands_at_the_top_and_nowhere_else() -> None:
    reason = "diffract: not finite: 420 of 2101 counts"
    step = attempt(0, "diffract", "xrd", reason=reason)
    one = trial(0, TrialState.QUARANTINED, reason=reason, flags=("not finite: 420 of 2101 counts",), steps=(step,))
    rows = list(_trial_rows(one, UNITS, None, None))
    assert [text for _, text in rows if "420" in text] == [reason]
    assert "reason" not in heads(_steps_table(one))
    again = replace(one, steps=(attempt(0, "diffract", "xrd", reason="the shutter was stuck"), step))
    table = _steps_table(again)
    assert heads(table)[-1] == "reason"
    assert rendered(table).count("the shutter was stuck") == 1
    assert "420" not in rendered(table)


def test_reasons_are_told_once_each() -> None:
    assert why_text("xrd: dead detector", "dead detector", "", "spikes", "spikes") == "xrd: dead detector; spikes"


def test_a_trial_that_is_not_feasible_says_which_outcome_constraint_it_breaks() -> None:
    rows = dict(_trial_rows(completed(1, 40.0), UNITS, None, OBJECTIVE))
    assert rows["feasible"] == "no, breaks capacity >= 50 mAh/g (got 40.0 ± 2.0 mAh/g)"
    assert dict(_trial_rows(completed(1, 60.0), UNITS, None, OBJECTIVE))["feasible"] == "yes"


def test_a_proposal_says_which_outcome_constraint_the_models_doubt() -> None:
    proposal = replace(predicted(48.0, 2.0), feasibility=0.16)
    rows = dict(_proposal_rows(completed(1, 40.0, proposal=proposal), UNITS, "predicted score", OBJECTIVE))
    assert rows["probability of being feasible"] == "0.16 (capacity >= 50 mAh/g with probability 0.16)"


def test_the_score_is_shown_as_the_sum_of_what_its_terms_give() -> None:
    table = _terms_table(completed(1, 100.0, 4.2), None, OBJECTIVE)
    assert [line.split("  ", 1)[0] for line in rendered(table).splitlines()][1:] == [
        "maximise capacity",
        "target mean_voltage",
        "score",
    ]
    assert [line.split("  ")[-1].strip() for line in rendered(table).splitlines()] == [
        "contribution",
        "7.50 ± 0.15",
        "-0.500 ± 0.025",
        "7.00 ± 0.15",
    ]
    assert _terms_table(completed(1, 100.0, score=None), None, OBJECTIVE).row_count == 0
    assert _terms_table(completed(1, 100.0), None, None).row_count == 0


def test_of_a_load_only_the_place_of_the_sample_is_shown() -> None:
    load = [{"trial": number, "place": place} for number, place in ((4, 1), (3, 2), (7, 3))]
    data = {"oven_temperature": 900, "oven_place1_mass": 1.5, "oven_place2_mass": 2.5, "oven_place3_mass": 3.5}
    documents = [
        Document(4, "heat", "start", "0cf5a013", {"load": load}),
        Document(4, "heat", "event", "0cf5a013", {"data": {**data, "oven_place4_mass": 0.0}}),
    ]
    _, (label, text) = _document_rows(documents, 3)
    assert label == "heat event"
    assert text == "run 0cf5a013 place 2 of 4, with trials 4 and 7: oven_temperature 900, oven_place2_mass 2.5"
