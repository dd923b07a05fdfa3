import pytest

from campaigns.values import TrialState
from loop.merit import pareto_front, shares, term_label
from tests.trials import campaign, completed, trial

OBJECTIVE = campaign().build_objective()


@pytest.mark.parametrize(("capacity", "voltage"), [(120.0, 3.5), (80.0, 4.25), (60.0, 2.9)])
def test_contributions_add_up_to_the_score(capacity: float, voltage: float) -> None:
    one = completed(0, capacity, voltage)
    assert sum(s.contribution.value for s in shares(OBJECTIVE, one)) == pytest.approx(one.score)


def test_contributions_carry_the_uncertainty_of_their_metric() -> None:
    capacity, voltage = shares(OBJECTIVE, completed(0, 100.0, 3.5))
    assert capacity.points.sd == pytest.approx(0.2)
    assert capacity.contribution.sd == pytest.approx(0.2 * 3 / 4)
    assert str(voltage.points.value) == "0.0"
    assert voltage.points.sd == 0.0


def test_at_the_edge_of_a_window_the_uncertainty_counts() -> None:
    _, voltage = shares(OBJECTIVE, completed(0, 100.0, 4.0))
    assert voltage.points.sd == pytest.approx(0.1)


def test_the_front_holds_what_nothing_beats() -> None:
    best_of_one, best_of_other = completed(0, 200.0, 4.5), completed(1, 100.0, 3.5)
    beaten, infeasible = completed(2, 90.0, 4.2), completed(3, 40.0, 3.5)
    failed = trial(4, TrialState.FAILED)
    front = pareto_front(OBJECTIVE, [best_of_one, best_of_other, beaten, infeasible, failed])
    assert [t.number for t in front] == [0, 1]


def test_equals_do_not_beat_each_other() -> None:
    assert len(pareto_front(OBJECTIVE, [completed(0, 100.0), completed(1, 100.0)])) == 2


def test_labels_say_what_a_term_wants() -> None:
    assert [term_label(term) for term in OBJECTIVE.terms] == ["maximise capacity", "mean_voltage on target"]
