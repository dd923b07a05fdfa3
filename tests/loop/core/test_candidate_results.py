"""Replicates are one candidate: what several readings say together."""

import csv
import io
import math
import random
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

import pytest

from campaigns.campaign import Campaign, StagnationRuleConfig, TargetRuleConfig
from campaigns.values import Candidate, MetricValue
from loop.core.candidate_results import CandidateResult, best, by_trial, pooled, ranking, results
from loop.core.pareto import front, volumes
from loop.core.proposals import IMPORTED, Proposal
from loop.core.records import TrialRecord
from loop.core.stopping import Spent, stop_reason
from loop.execution.bound_expansion import expand_bounds
from loop.report.trial_figures import incumbent, score_figure
from loop.terminal.trial_tables import ShownRanking, ranking_csv, ranking_table, trials_table
from tests.loop.core.test_pareto import AREA, two_terms
from tests.loop.execution.test_bound_expansion import growing
from tests.trials import campaign, completed

HERE = Candidate({"temperature": 843.8, "time": 2.0, "atmosphere": "air"})
THERE = Candidate({"temperature": 700.0, "time": 2.0, "atmosphere": "air"})
NOTHING = Spent(0, 0.0, 0.0)


def phase(**changes: Any) -> Campaign:
    """A campaign that wants the phase fraction, of which at least 0.8 is needed."""
    terms = [{"goal": "maximise", "metric": "capacity", "scale": 1}]
    return campaign(objective={"terms": terms, "constraints": [{"metric": "capacity", "at_least": 0.8}]}, **changes)


def reading(number: int, capacity: float, at: Candidate = HERE, sd: float = 0.01, outlier: str = "") -> TrialRecord:
    """A trial with one reading, scored by ``phase``."""
    metrics = {"capacity": MetricValue(capacity, sd, "mAh/g"), "mean_voltage": MetricValue(3.5, 0.01, "V")}
    merit = {"score": capacity, "score_sd": sd, "feasible": capacity >= 0.8}
    return completed(number, 1.0, candidate=at, metrics=metrics, outlier=outlier, **merit)


def found(*trials: TrialRecord) -> list[CandidateResult]:
    return results(phase().build_objective(), trials)


def test_five_readings_of_one_setting_are_one_candidate_with_their_mean() -> None:
    readings = [2.644, 2.613, 2.632, 2.618, 2.569]
    (one,) = found(*(reading(i, x, sd=0.029) for i, x in enumerate(readings)))
    assert one.score == pytest.approx(2.6152)
    assert one.score_sd == pytest.approx(max(stdev(readings), 0.029) / math.sqrt(5))
    assert (one.numbers, one.label) == ((0, 1, 2, 3, 4), "trials 0, 1, 2, 3 and 1 more (n = 5)")


def test_a_candidate_is_feasible_by_its_mean_and_not_by_its_luckiest_reading() -> None:
    (one,) = found(reading(0, 0.806), reading(1, 0.787), reading(2, 0.788))
    assert one.feasible is False
    assert best([one]) is None
    (other,) = found(reading(0, 0.79), reading(1, 0.83))
    assert other.feasible


@pytest.mark.parametrize("scatter", [0.001, 1.0])
def test_the_standard_error_is_the_larger_of_scatter_and_stated_uncertainties(scatter: float) -> None:
    values, sds = [1.0 - scatter, 1.0, 1.0 + scatter], [0.1, 0.2, 0.2]
    mean = pooled([MetricValue(v, s, "V") for v, s in zip(values, sds, strict=True)])
    propagated = math.sqrt(sum(s * s for s in sds)) / 3
    assert (mean.value, mean.sd) == pytest.approx((1.0, max(scatter / math.sqrt(3), propagated)))
    assert mean.unit == "V"
    alone = pooled([MetricValue(2.0, 0.3, "V")])
    assert (alone.value, alone.sd, alone.unit) == (2.0, pytest.approx(0.3), "V")


def test_more_readings_make_the_mean_better_known() -> None:
    generator = random.Random(1)
    sds = [pooled([MetricValue(generator.gauss(0, 1), 0.0, "1") for _ in range(n)]).sd for n in (4, 64, 1024)]
    assert sds[0] > sds[1] > sds[2] == pytest.approx(1 / 32, rel=0.1)


def test_a_suspected_outlier_is_left_out_unless_it_is_all_there_is() -> None:
    one, lone = found(
        reading(0, 1.0),
        reading(1, 9999.0, outlier="too good"),
        reading(2, 1.2),
        reading(3, 50.0, THERE, outlier="why?"),
    )
    assert (one.score, one.numbers, one.outlier) == (pytest.approx(1.1), (0, 2), "")
    assert [t.number for t in one.trials] == [0, 1, 2]
    assert (lone.score, lone.outlier) == (50.0, "why?")
    assert best([one, lone]) == one
    assert ranking([lone, one]) == [one, lone]


def test_derived_metrics_and_points_come_from_the_pooled_metrics() -> None:
    metrics = {
        "capacity": {"kind": "measured", "unit": "mAh/g"},
        "mean_voltage": {"kind": "measured", "unit": "V"},
        "energy": {"kind": "derived", "unit": "Wh/kg", "formula": "capacity * mean_voltage"},
    }
    terms = [{"goal": "target", "metric": "energy", "low": 300, "high": 400, "scale": 10}]
    objective = campaign(metrics=metrics, objective={"terms": terms}).build_objective()
    energies = [MetricValue(x, 1.0, "Wh/kg") for x in (500.0, 220.0)]
    pairs = zip([(100.0, 5.0), (110.0, 2.0)], energies, strict=True)
    measured = [
        {"capacity": MetricValue(c, 1.0, "mAh/g"), "mean_voltage": MetricValue(v, 0.1, "V"), "energy": e}
        for (c, v), e in pairs
    ]
    trials = [replace(reading(i, 0.0), metrics=metrics) for i, metrics in enumerate(measured)]
    (one,) = results(objective, trials)
    assert one.metrics["energy"].value == pytest.approx(105.0 * 3.5)
    assert one.metrics["energy"].sd > 0
    assert one.score == pytest.approx(0.0), "on target by the means, though neither reading is"


def test_a_candidate_lacks_a_score_only_while_no_reading_has_a_metric() -> None:
    lacking = replace(reading(0, 1.0), metrics={"mean_voltage": MetricValue(3.0, 0.1, "V")}, score=None, feasible=None)
    (none,) = found(lacking, replace(lacking, number=1))
    assert (none.score, none.feasible, ranking([none])) == (None, None, [])
    (one,) = found(lacking, reading(1, 1.2))
    assert (one.score, one.metrics["mean_voltage"].value) == (1.2, pytest.approx(3.25))


def test_a_whole_number_and_a_negative_zero_are_the_same_setting() -> None:
    same = [Candidate({"x": 0.0}), Candidate({"x": -0.0}), Candidate({"x": 0})]
    assert len(found(*(reading(i, 1.0, candidate) for i, candidate in enumerate(same)))) == 1


def test_the_ranking_shows_each_candidate_once_with_its_readings_on_demand() -> None:
    trials = [reading(0, 2.644), reading(1, 1.0, THERE), reading(2, 2.613), reading(3, 99.0, outlier="too good")]
    table = ranking_table(found(*trials), ShownRanking({}))
    assert (table.row_count, ranking_table(found(*trials), ShownRanking({}, readings=True)).row_count) == (2, 5)
    rows = list(csv.DictReader(io.StringIO(ranking_csv(found(*trials), {"temperature": "degC"}))))
    assert [(row["trial numbers"], row["number of readings"], row["temperature [degC]"]) for row in rows] == [
        ("0 2", "2", "843.8"),
        ("1", "1", "700.0"),
    ]
    assert float(rows[0]["capacity [mAh/g]"]) == pytest.approx(2.6285)
    assert float(rows[0]["capacity sd [mAh/g]"]) == pytest.approx(0.0155)


def test_the_best_so_far_is_no_maximum_of_noise() -> None:
    generator = random.Random(3)
    trials = [reading(i, 2.6 + generator.gauss(0, 0.05), HERE if i % 2 else THERE) for i in range(40)]
    top = best(found(*trials))
    assert top is not None
    assert top.score is not None
    assert top.score < 2.63 < max(t.score or 0.0 for t in trials)
    line = incumbent(trials, found(*trials))
    assert line[-1] == top
    assert {one.number for one in line if one} <= {0, 1}
    figure = score_figure(trials, found(*trials), {})
    assert sum(len(t["x"]) for t in figure["data"] if t["name"] == "feasible") == 40, "single readings stay in sight"


def test_a_front_holds_candidates_and_grows_by_their_means() -> None:
    objective = two_terms(AREA).build_objective()
    trials = [
        completed(0, 100.0, 3.5, candidate=HERE),
        completed(1, 90.0, 3.9, candidate=THERE),
        completed(2, 120.0, 3.7, candidate=HERE),
    ]
    on_it = front(objective, trials)
    assert [one.numbers for one in on_it.candidates] == [(0, 2), (1,)]
    assert on_it.candidates[0].values["capacity"] == pytest.approx(110.0)
    assert on_it.numbers == {0, 1, 2}
    assert volumes(objective, trials)[2] == volumes(objective, trials)[1] == pytest.approx(on_it.volume)


def test_a_target_is_not_reached_by_the_luckiest_of_several_readings() -> None:
    rule = phase().model_copy(update={"stopping": (TargetRuleConfig(kind="target", score=2.6, confidence=0.9),)})
    lucky = reading(0, 2.7)
    assert stop_reason(rule, [lucky], NOTHING) is not None
    assert stop_reason(rule, [lucky, reading(1, 2.5), reading(2, 2.45)], NOTHING) is None


def test_another_reading_of_a_candidate_is_no_improvement() -> None:
    rule = phase().model_copy(update={"stopping": (StagnationRuleConfig(kind="stagnation", trials=3),)})
    trials = [reading(0, 2.0), *(reading(i, 2.0 + 0.1 * i) for i in (1, 2, 3))]
    assert stop_reason(rule, trials, NOTHING) is not None
    assert stop_reason(rule, [*trials[:3], reading(3, 2.5, THERE)], NOTHING) is None


def test_readings_of_one_candidate_press_once_against_a_bound() -> None:
    hot, others = Candidate({"temperature": 895.0, "time": 10.0, "atmosphere": "air"}), (600, 650, 700)
    trials = [completed(i, 200.0 - i, candidate=hot) for i in range(4)]
    trials += [
        completed(4 + i, 100.0, candidate=Candidate({**hot.parameters, "temperature": float(t)}))
        for i, t in enumerate(others)
    ]
    assert expand_bounds(growing(), trials) is None


def test_each_trial_knows_its_candidate() -> None:
    one, other = found(reading(0, 1.0), reading(1, 2.0, THERE), reading(2, 1.2))
    assert by_trial([one, other]) == {0: one, 1: other, 2: one}
    assert one.score == fmean([1.0, 1.2])


def test_readings_that_are_all_suspected_outliers_are_listed_singly_and_never_pooled() -> None:
    trials = [reading(0, 17500.0, outlier="too good"), reading(1, 1.0, THERE), reading(2, 61.5, outlier="contradicts")]
    one, other = found(*trials)
    assert (one.score, dict(one.metrics), one.outlier) == (None, {}, "too good; contradicts")
    assert best([one, other]) is other
    table = ranking_table([one, other], ShownRanking({}))
    cells = [list(column.cells) for column in table.columns]
    assert "17500.000 ± 0.010, 61.500 ± 0.010" in [row[-1] for row in cells]
    assert cells[-1][-1] == "suspected outlier"
    rows = list(csv.DictReader(io.StringIO(ranking_csv([one, other], {}))))
    assert (rows[1]["capacity [mAh/g]"], rows[1]["score"], rows[1]["state"]) == ("", "", "suspected outlier")
    assert "readings not pooled; capacity [mAh/g] 17500.000 ± 0.010, 61.500 ± 0.010" in rows[1]["reason"]


def test_an_uncertainty_that_nobody_stated_is_an_empty_cell() -> None:
    (row,) = csv.DictReader(io.StringIO(ranking_csv(found(reading(0, 1.0, sd=0.0)), {})))
    assert (row["capacity [mAh/g]"], row["capacity sd [mAh/g]"], row["score sd"]) == ("1.0", "", "")


def test_the_ranking_numbers_its_rows_and_has_the_metrics_in_the_order_of_the_campaign() -> None:
    one = reading(0, 2.0)
    swapped = replace(one, metrics=dict(reversed(list(one.metrics.items()))))
    table = ranking_table(found(swapped), ShownRanking({}, order=("capacity", "mean_voltage")))
    assert [str(column.header) for column in table.columns][:5] == [
        "rank",
        "trials",
        "readings",
        "candidate",
        "capacity [mAh/g]",
    ]
    assert list(table.columns[0].cells) == ["1"]
    assert ranking_csv(found(swapped), {}, ("capacity",)).split("capacity")[1].startswith(" [mAh/g]")


def test_the_list_of_trials_says_which_were_imported() -> None:
    table = trials_table([replace(reading(0, 2.0), proposal=Proposal(IMPORTED))], {})
    assert next(iter(table.columns[1].cells)) == "completed, imported"


def test_suspected_outliers_are_ranked_behind_what_is_infeasible_and_of_equals_the_first_is_the_best() -> None:
    places = [replace(HERE, parameters={**HERE.parameters, "time": float(n)}) for n in range(4)]
    outliers, broken = reading(0, 9.0, places[0], outlier="too good"), reading(1, 0.5, places[1])
    equals = [reading(n, 2.0, places[n]) for n in (3, 2)]
    assert [one.number for one in ranking(found(outliers, broken, *equals))] == [2, 3, 1, 0]
    assert best(found(*equals)) == found(equals[1])[0]


def test_what_was_never_judged_feasible_is_not_the_best() -> None:
    assert best(found(replace(reading(0, 2.0), feasible=None))) is None
