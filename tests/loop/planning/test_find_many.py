"""Where as many good candidates as possible are wanted: above a score, or of the best share of all."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from campaigns.campaign import Campaign
from campaigns.objective import FindManyConfig
from campaigns.values import Candidate, MetricValue
from loop.planning.fitting import fit_posterior
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import CampaignPosterior, TrainingData
from loop.planning.screening import ScoreUpperConfidenceBound, hit_threshold
from loop.terminal.campaign_summary import summary_rows
from surrogates.models.encoder import Encoder
from tests.loop.conftest import only_step, quick

SITES = ("good", "fair", "poor", "bad", "new")
EVERYTHING = [Candidate({"site": s, "dose": d}) for s, d in itertools.product(SITES, range(1, 9))]
WORTH = {"good": 2.0, "fair": 1.5, "poor": -1.0, "bad": -2.0}


def campaign(find: dict[str, Any], trials: int) -> Campaign:
    """Sites and doses; what is hoped for fades with the budget, and is gone after as many trials."""
    step = only_step(["gain"], ["site", "dose"])
    data = quick(
        space={
            "parameters": {
                "site": {"kind": "categorical", "levels": list(SITES)},
                "dose": {"kind": "integer", "unit": "1", "low": 1, "high": 8},
            }
        },
        metrics={"gain": {"kind": "measured", "unit": "1"}},
        objective={"terms": [{"goal": "maximise", "metric": "gain", "scale": 1}], "find": {"kind": "many", **find}},
        workflow=[step],
        budget={"trials": trials},
    )
    return Campaign.model_validate(data)


def gain(candidate: Candidate) -> float:
    return WORTH[str(candidate.parameters["site"])] + 0.02 * float(candidate.parameters["dose"])


def fitted(find: dict[str, Any], done: Sequence[Candidate]) -> CampaignPosterior:
    plan = campaign(find, len(done))
    metrics = {"gain": [MetricValue(gain(c), 0.01, "1") for c in done]}
    history = TrainingData(done, metrics, [], frozenset(c.key() for c in done))
    return fit_posterior(OptimizationProblem(plan, Encoder(plan.space)), history)


def done() -> list[Candidate]:
    """Some of the fair site, nothing of the new one, and all of the others."""
    doses = {"good": range(1, 9), "fair": (1, 3, 5), "poor": range(1, 9), "bad": range(1, 9), "new": ()}
    return [c for c in EVERYTHING if c.parameters["dose"] in doses[str(c.parameters["site"])]]


@pytest.mark.parametrize(("find", "asked"), [({"share": 0.2}, True), ({"kind": "best"}, False)])
def test_effects_are_averaged_but_beside_a_conservative_process(find: dict[str, Any], asked: bool) -> None:
    assert ("effects" in fitted(find, done()).models["gain"].describe()["models"]) == asked


def upper_confidence_bound(posterior: CampaignPosterior, rows: torch.Tensor) -> torch.Tensor:
    return ScoreUpperConfidenceBound(posterior, posterior.rows[:0], 0)(rows.unsqueeze(-2))


def wanted(posterior: CampaignPosterior) -> str:
    measured = {c.key() for c in done()}
    left = [c for c in EVERYTHING if c.key() not in measured]
    merits = upper_confidence_bound(posterior, posterior.problem.encoder.encode(left))
    return str(left[int(merits.argmax())].parameters["site"])


@pytest.mark.slow
def test_what_is_surely_no_good_is_wanted_after_what_nobody_knows() -> None:
    assert wanted(fitted({}, done())) == "fair"
    assert wanted(fitted({"share": 0.2}, done())) == "new"
    assert wanted(fitted({"above": 1.9}, done())) == "new"
    assert wanted(fitted({"above": 1.4}, done())) == "fair"  # good enough


def test_the_best_share_begins_where_that_share_of_all_is_expected_to_lie() -> None:
    posterior = fitted({"share": 0.25}, done())
    rows = posterior.problem.encoder.encode(EVERYTHING)
    expected = posterior.marginal(rows, 32, seed=0)["gain"].mean(dim=0)
    good = hit_threshold(posterior)
    assert good is not None
    assert int((expected >= good).sum()) == 10
    known = sorted(gain(c) for c in EVERYTHING if c.parameters["site"] != "new")
    assert good == pytest.approx(known[-10], abs=0.05)


def test_without_a_share_the_better_the_score_the_better() -> None:
    posterior = fitted({}, done())
    rows = posterior.problem.encoder.encode(EVERYTHING)
    assert hit_threshold(posterior) is None
    expected = posterior.marginal(rows, 32, seed=0)["gain"].mean(dim=0)
    assert torch.allclose(upper_confidence_bound(posterior, rows), expected)


def test_a_share_and_a_score_at_once_are_refused() -> None:
    with pytest.raises(ValidationError, match="got above and share; allowed: one of them"):
        FindManyConfig(kind="many", above=1.0, share=0.1)
    with pytest.raises(ValidationError, match="less than 1"):
        FindManyConfig(kind="many", share=1.0)


@pytest.mark.parametrize(
    ("find", "words"),
    [
        ({}, "many good candidates"),
        ({"above": 2.0}, "many candidates with a score above 2"),
        ({"share": 0.05}, "many of the best 5 % of all candidates"),
    ],
)
def test_the_summary_tells_what_counts_as_good(find: dict[str, Any], words: str) -> None:
    assert words in [text for _, text in summary_rows(campaign(find, 3))]
