"""Athanor's own generation strategy: which node a proposal comes by."""

import numpy as np
import pytest

from tests.planned import Lab, campaign, hill, nodes


def test_each_proposal_of_our_own_names_its_node() -> None:
    lab = Lab(campaign(2, planner={"initial": 3}), hill)
    assert nodes(lab.run(5)) == ["space-filling: InitialDesign"] * 3 + ["model: BoTorch"] * 2


def test_a_candidate_that_is_measured_once_more_comes_by_the_node_of_replication() -> None:
    levels = {"parameters": {"x0": {"kind": "integer", "low": 1, "high": 4}}}
    noise = np.random.default_rng(0).normal(0.0, 0.3, 8)
    lab = Lab(campaign(1, space=levels, planner={"initial": 3}), lambda _, n: float(noise[n]), sd=0.3)
    assert nodes(lab.run(5))[-1] == "re-measure: Replication"


@pytest.mark.slow
def test_a_suspected_outlier_is_no_observation_of_the_experiment() -> None:
    lab = Lab(campaign(2), lambda parameters, number: 50.0 if number == 9 else 20.0 * hill(parameters, number))
    lab.run(10)
    lab.planner.suggest()
    held = lab.planner.experiment.ax.trials[9]
    assert held.status.name == "FAILED"
    assert held.status_reason.startswith("a suspected outlier: merit 50, but")
