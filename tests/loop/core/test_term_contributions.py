import pytest

from loop.core.candidate_results import CandidateResult, results
from loop.core.term_contributions import term_contributions, term_label
from loop.terminal.campaign_summary import summary_rows
from tests.trials import campaign, completed

OBJECTIVE = campaign().build_objective()


def measured(capacity: float, voltage: float) -> CandidateResult:
    (found,) = results(OBJECTIVE, [completed(0, capacity, voltage)])
    return found


@pytest.mark.parametrize(("capacity", "voltage"), [(120.0, 3.5), (80.0, 4.25), (60.0, 2.9)])
def test_contributions_add_up_to_the_score(capacity: float, voltage: float) -> None:
    one = measured(capacity, voltage)
    assert sum(s.contribution.value for s in term_contributions(OBJECTIVE, one)) == pytest.approx(one.score)


def test_contributions_carry_the_uncertainty_of_their_metric() -> None:
    capacity, voltage = term_contributions(OBJECTIVE, measured(100.0, 3.5))
    assert capacity.points.sd == pytest.approx(0.2)
    assert capacity.contribution.sd == pytest.approx(0.2 * 3 / 4)
    assert str(voltage.points.value) == "0.0"
    assert voltage.points.sd == 0.0


def test_at_the_edge_of_a_window_the_uncertainty_counts() -> None:
    _, voltage = term_contributions(OBJECTIVE, measured(100.0, 4.0))
    assert voltage.points.sd == pytest.approx(0.1)


def test_labels_say_what_a_term_wants() -> None:
    assert [term_label(term) for term in OBJECTIVE.terms] == ["maximise capacity", "target mean_voltage"]


def test_validate_and_report_name_a_term_alike() -> None:
    found = campaign()
    told = [text for label, text in summary_rows(found) if label == "objective"]
    for line, term in zip(told, OBJECTIVE.terms, strict=True):
        assert line.startswith(f"{term_label(term)}")
