"""What becomes of a measurement that the models do not believe."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from campaigns.values import Scalar
from loop.core.candidate_results import best, by_trial, ranking, results
from loop.core.records import TrialRecord
from loop.planning.planner import Planner
from surrogates.models.encoder import Encoder
from tests.planned import Lab, campaign

SPIKE = 50.0


def hill(parameters: Mapping[str, Scalar]) -> float:
    return 10.0 - 20.0 * sum((float(x) - 0.7) ** 2 for x in parameters.values())


def spiky(at: int) -> Lab:
    """A lab that once measures far too much."""
    return Lab(campaign(2), lambda parameters, number: SPIKE if number == at else hill(parameters))


def with_doubts(lab: Lab) -> list[TrialRecord]:
    outliers = lab.planner.models.outliers()
    return [replace(t, outlier=outliers.get(t.number, "")) for t in lab.trials]


@pytest.mark.slow
def test_a_spike_is_named_with_its_reason_and_is_not_the_best_trial() -> None:
    lab = spiky(9)
    lab.run(14)
    outliers = lab.planner.models.outliers()
    assert 9 in outliers
    assert outliers[9].startswith("merit 50, but ")
    assert "by the others" in outliers[9]
    candidates = results(lab.campaign.build_objective(), with_doubts(lab))
    found = best(candidates)
    assert found is not None
    assert found.number != 9
    assert ranking(candidates)[0] == found
    assert 9 not in by_trial(candidates)[9].numbers, "it was measured again, and that counts alone"


@pytest.mark.slow
def test_a_spike_neither_raises_predictions_nor_the_incumbent() -> None:
    lab = spiky(9)
    proposal = lab.run(16)[-1].proposal
    assert proposal.predictions["merit"].value < 15
    posterior = lab.planner.models.posterior()
    score, feasible = posterior.outcomes
    assert float(score.max()) < 11
    assert not bool(feasible[9])


@pytest.mark.slow
def test_the_optimum_is_found_beside_a_spike() -> None:
    lab = spiky(9)
    lab.run(22)
    found = best(results(lab.campaign.build_objective(), with_doubts(lab)))
    assert found is not None
    assert hill(found.candidate.parameters) > 9.9


@pytest.mark.slow
def test_outliers_are_the_same_after_the_trials_were_recalled() -> None:
    lab = spiky(9)
    lab.run(14)
    again = Planner(lab.campaign, Encoder(lab.campaign.space))
    again.recall(lab.trials)
    assert again.models.outliers() == lab.planner.models.outliers()


@pytest.mark.parametrize("count", [3, 4])
def test_nothing_is_suspected_before_there_are_enough_measurements(count: int) -> None:
    lab = spiky(1)
    lab.run(count)
    assert lab.planner.models.outliers() == {}
