import csv
import io
from collections.abc import Mapping, Sequence

import pytest
import torch
from botorch.utils.multi_objective.pareto import is_non_dominated

from campaigns.campaign import Campaign
from campaigns.values import TrialState
from loop.core.candidate_results import results
from loop.core.pareto import dominates, front, front_of, reference_point, some, volumes
from loop.terminal.trial_tables import ranking_csv
from tests.trials import campaign, completed, trial

TERMS = [
    {"goal": "maximise", "metric": "capacity", "scale": "10 mAh/g"},
    {"goal": "maximise", "metric": "mean_voltage", "scale": "100 mV"},
]
AREA = [{**TERMS[0], "reference": 80}, {**TERMS[1], "reference": 3.0}]


def two_terms(terms: Sequence[Mapping[str, object]] = TERMS) -> Campaign:
    bound = [{"metric": "capacity", "at_least": 50}]
    return campaign(objective={"find": {"kind": "pareto"}, "terms": terms, "constraints": bound})


TRIALS = [
    completed(0, 100.0, 3.5),
    completed(1, 90.0, 3.4),  # beaten by 0
    completed(2, 90.0, 3.9),
    trial(3, TrialState.FAILED),
    completed(4, 40.0, 4.5),  # breaks the bound
    completed(5, 120.0, 3.1),
]


def test_the_front_holds_what_no_other_feasible_trial_beats_best_in_the_first_term_first() -> None:
    found = front_of(two_terms(), TRIALS)
    assert found is not None
    assert [one.number for one in found.candidates] == [5, 0, 2]
    assert found.metrics == ("capacity", "mean_voltage")


def test_a_suspected_outlier_stands_on_no_front_and_below_no_volume() -> None:
    objective, spike = two_terms(AREA).build_objective(), completed(6, 9999.0, 9.9, outlier="too good")
    found = front(objective, [*TRIALS, spike])
    assert found == front(objective, TRIALS)
    assert volumes(objective, [*TRIALS, spike])[-1] == pytest.approx(found.volume)


def test_equals_do_not_beat_each_other() -> None:
    assert not dominates((1.0, 2.0), (1.0, 2.0))
    assert dominates((1.0, 2.0), (1.0, 1.0))
    assert not dominates((1.0, 2.0), (2.0, 1.0))


def test_botorch_means_the_same_by_dominated() -> None:
    points = torch.randint(0, 4, (40, 3), generator=torch.Generator().manual_seed(1)).double()
    each = [tuple(row) for row in points.tolist()]
    assert is_non_dominated(points, deduplicate=False).tolist() == [
        not any(dominates(o, p) for o in each) for p in each
    ]


def test_a_campaign_for_one_best_candidate_has_no_front() -> None:
    assert front_of(campaign(), TRIALS) is None


def test_the_volume_is_measured_from_the_given_references() -> None:
    found = front(two_terms(AREA).build_objective(), TRIALS)
    assert found.reference == pytest.approx((8.0, 30.0))
    assert found.volume == pytest.approx(4 * 1 + 2 * (5 - 1) + 1 * (9 - 5))


def test_the_volume_grows_trial_by_trial_to_that_of_the_front() -> None:
    objective = two_terms(AREA).build_objective()
    found = volumes(objective, TRIALS)
    assert found == pytest.approx([10.0, 10.0, 14.0, 14.0, 14.0, 16.0])
    assert found[-1] == pytest.approx(front(objective, TRIALS).volume)


def test_without_references_the_volume_begins_a_tenth_of_the_range_below_the_worst() -> None:
    objective = two_terms().build_objective()
    many = [(float(i), 20.0 - i) for i in range(21)]
    assert reference_point(many, objective) == pytest.approx((-2.0, -2.0))
    assert reference_point([(3.0, 4.0)], objective) == pytest.approx((2.9, 3.9)), "a single point has no range"


def test_a_few_points_of_a_front_do_not_hide_its_ends() -> None:
    objective = two_terms().build_objective()
    points = [(5.0, 5.0), (5.1, 4.9), (4.0, 1.0), (0.0, 4.0)]
    assert reference_point(points, objective) == pytest.approx((-0.51, 0.6))


def test_nothing_feasible_is_an_empty_front() -> None:
    found = front(two_terms().build_objective(), [trial(0, TrialState.FAILED), completed(1, 10.0)])
    assert (found.candidates, found.reference, found.volume) == ((), (), 0.0)


def test_some_trials_of_a_long_front_reach_from_end_to_end() -> None:
    many = results(two_terms().build_objective(), [completed(i, 100.0) for i in range(30)])
    assert [t.number for t in some(many, 4)] == [0, 10, 19, 29]
    assert some(many[:3], 4) == many[:3]


def test_the_volume_does_not_grow_by_a_reading_that_is_left_out() -> None:
    spike = completed(6, 200.0, 4.0, outlier="too good", candidate=TRIALS[2].candidate)
    order = [TRIALS[0], spike, TRIALS[2]]
    found = volumes(two_terms(AREA).build_objective(), order)
    assert found[0] == found[1] < found[2]


def test_the_ranking_as_a_table_has_the_front_first_and_says_what_stands_on_it() -> None:
    objective = two_terms().build_objective()
    text = ranking_csv(results(objective, TRIALS), {}, (), front(objective, TRIALS))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["trial numbers"] for row in rows[:3]} == {"0", "2", "5"}
    assert [row["front"] for row in rows] == ["true"] * 3 + ["false"] * 2
    assert "front" not in ranking_csv(results(objective, TRIALS), {})
