"""Candidates that are measured once more: on purpose, with a reason, and only where that is worth more."""

from collections import Counter

import numpy as np
import pytest
import torch

from campaigns.values import Candidate, MetricValue
from loop.core.records import TrialRecord
from loop.planning.fitting import fit_posterior
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import CampaignPosterior, TrainingData
from loop.planning.replication import Replicate, _knowledge_gradients, choose_replicate
from loop.planning.shortlist import SpaceExhaustedError
from surrogates.models.encoder import Encoder
from tests.loop.planning.test_model_fitter import hill, spiky
from tests.planned import Lab, campaign


def repeats(trials: list[TrialRecord]) -> list[TrialRecord]:
    times = Counter(t.candidate.key() for t in trials)
    seen: set[tuple[object, ...]] = set()
    found = []
    for trial in trials:
        if trial.candidate.key() in seen:
            found.append(trial)
        seen.add(trial.candidate.key())
    assert sum(n - 1 for n in times.values()) == len(found)
    return found


@pytest.mark.slow
def test_a_suspected_outlier_that_would_be_the_best_is_measured_once_more() -> None:
    lab = spiky(9)
    trials = lab.run(16)
    (repeat,) = repeats(trials)
    assert repeat.candidate == trials[9].candidate
    assert repeat.proposal.generator == "re-measure"
    assert repeat.proposal.reason.startswith("trial 9 once more: its score 50 would be the best")
    assert repeat.proposal.alternatives
    assert 9 in lab.planner.models.outliers()


@pytest.mark.slow
def test_a_discovery_that_is_measured_twice_is_no_outlier() -> None:
    """A needle that only two measurements at the same place can prove."""
    lab = Lab(campaign(2), lambda p, _: hill(p))
    trials = lab.run(9)
    needle = trials[8].candidate.parameters
    lab = Lab(campaign(2), lambda p, _: 50.0 if p == needle else hill(p))
    (repeat,) = repeats(lab.run(13))
    assert repeat.candidate.parameters == needle
    assert not {8, repeat.number} & set(lab.planner.models.outliers())
    assert lab.planner.models.posterior().outcomes[0].max() == 50


@pytest.mark.slow
def test_without_noise_nothing_is_measured_twice() -> None:
    assert not repeats(Lab(campaign(2), lambda p, _: hill(p)).run(16))


@pytest.mark.slow
def test_with_noise_the_best_candidates_are_measured_again_and_the_log_says_so() -> None:
    rng = np.random.default_rng(3)
    lab = Lab(campaign(1, planner={"initial": 6}), lambda p, _: hill(p) + float(rng.normal(0, 2.0)), sd=2.0)
    trials = lab.run(13)
    found = repeats(trials)
    assert found
    for trial in found:
        assert trial.proposal.generator == "re-measure"
        assert "one more measurement is worth" in trial.proposal.reason
    assert all(t.proposal.generator != "re-measure" for t in trials if t not in found)


def noisy_posterior(sd: float) -> tuple[CampaignPosterior, TrainingData]:
    problem = OptimizationProblem(campaign(1), Encoder(campaign(1).space))
    done = [Candidate({"x0": float(x)}) for x in np.linspace(0.02, 0.98, 25)]
    rng = np.random.default_rng(0)
    values = [hill(c.parameters) + float(rng.normal(0, sd)) for c in done]
    history = TrainingData(
        done, {"merit": [MetricValue(v, sd, "1") for v in values]}, (), frozenset(c.key() for c in done)
    )
    return fit_posterior(problem, history), history


@pytest.mark.parametrize(("sd", "repeated"), [(1.5, True), (0.001, False)])
def test_in_a_well_known_space_noise_decides(sd: float, repeated: bool) -> None:
    posterior, history = noisy_posterior(sd)
    far = Candidate({"x0": 0.001})  # a new candidate that promises nothing
    found = choose_replicate(posterior, history, far, seed=0)
    assert (found is not None) == repeated
    if isinstance(found, Replicate):
        assert found.gain > 0
        assert abs(float(history.done[found.place].parameters["x0"]) - 0.7) < 0.35


def test_what_is_under_way_is_not_measured_again() -> None:
    posterior, history = noisy_posterior(1.5)
    waiting = TrainingData(history.done, history.metrics, history.done, history.seen)
    assert choose_replicate(posterior, waiting, Candidate({"x0": 0.001}), seed=0) is None


def test_the_knowledge_gradient_of_one_against_a_known_value() -> None:
    """E max(0, z) of a standard normal is 1 / sqrt(2 pi); with noise as large as the variance, that by sqrt(2)."""
    samples = torch.randn(200_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scores = torch.cat([samples, torch.zeros_like(samples)], dim=1)
    for noise, expected in ((0.0, 0.3989), (1.0, 0.3989 / 2**0.5)):
        gains = _knowledge_gradients(scores, torch.full((2,), noise, dtype=torch.float64))
        assert float(gains[0]) == pytest.approx(expected, abs=0.01)


@pytest.mark.slow
def test_where_nothing_new_is_left_noise_is_a_reason_to_measure_once_more() -> None:
    """Two levels, and a noise as large as what is between them."""
    rng = np.random.default_rng(4)
    levels = {"c": {"kind": "categorical", "levels": ["p", "q"]}}
    step = {"name": "look", "stations": ["eye"], "analysis": "tests.planned:campaign", "gives": ["merit"]}
    changes = {"space": {"parameters": levels}, "workflow": [{**step, "recipe": {"c": "$c"}, "timeout": "1 h"}]}
    lab = Lab(campaign(1, **changes), lambda p, _: (p["c"] == "q") + float(rng.normal(0, 1.0)), sd=1.0)
    with pytest.raises(SpaceExhaustedError):
        lab.run(20)
    assert 3 <= len(repeats(lab.trials)) < 15
    assert all(t.proposal.generator == "re-measure" for t in lab.trials[2:])
    quiet = Lab(campaign(1, **changes), lambda p, _: float(p["c"] == "q"))
    quiet.run(2)
    with pytest.raises(SpaceExhaustedError):
        quiet.planner.suggest()
