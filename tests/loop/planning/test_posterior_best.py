"""The best measured candidate by the models' posterior, asked of a planner whose laboratory answers at once."""

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from campaigns.campaign import Campaign
from campaigns.values import Candidate, MetricValue, Scalar, TrialState
from loop.cli.app import app
from loop.core.candidate_results import best, results
from loop.core.records import TrialRecord
from loop.planning.fitting import fit_posterior
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.planner import Planner
from loop.planning.posterior import CampaignPosterior, TrainingData
from loop.planning.posterior_best import posterior_best
from loop.storage.reader import Reader
from surrogates.models.encoder import Encoder
from tests.loop.conftest import Bench, only_step, quick
from tests.planned import Lab, campaign
from tests.trials import trial


def hill(parameters: Mapping[str, Scalar]) -> float:
    return 2.0 - 4.0 * (float(parameters["x0"]) - 0.3) ** 2


def noisy(sd: float, seed: int) -> Lab:
    noise = np.random.default_rng(seed).normal(0.0, sd, 100)
    plan = campaign(1, planner={"initial": 20})
    return Lab(plan, lambda parameters, number: hill(parameters) + float(noise[number]), sd=sd)


def test_before_three_measurements_there_is_no_model_to_ask() -> None:
    lab = noisy(0.1, 1)
    lab.run(2)
    assert lab.planner.models.posterior_best() is None
    lab.run(1)
    assert lab.planner.models.posterior_best() is not None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_best_by_the_model_is_no_maximum_of_noise(seed: int) -> None:
    lab = noisy(0.5, seed)
    lab.run(20)
    found = lab.planner.models.posterior_best()
    top = best(results(lab.campaign.build_objective(), lab.trials))
    assert found is not None
    assert top is not None
    truth = hill(lab.trials[found.trial].candidate.parameters)
    assert abs(found.score - truth) < abs((top.score or 0.0) - hill(top.candidate.parameters))
    assert found.interval[0] < truth < found.interval[1]
    assert found.after == 20


def test_readings_of_the_same_candidate_are_asked_about_once_and_narrow_the_interval() -> None:
    lab = noisy(0.3, 4)
    lab.run(8)
    before = lab.planner.models.posterior_best()
    assert before is not None
    place = lab.trials[before.trial].candidate
    for _ in range(6):
        number, candidate, proposal = lab.planner.take(Candidate(place.parameters), "again")
        lab.trials.append(lab._ended(number, candidate, proposal))
        lab.planner.ingest(lab.trials[-1])
    after = lab.planner.models.posterior_best()
    assert after is not None
    assert after.trial < 8, "named by its first reading"
    assert after.interval[1] - after.interval[0] < before.interval[1] - before.interval[0]


@pytest.mark.slow
def test_a_candidate_that_likely_breaks_a_constraint_is_not_the_best() -> None:
    bound = {
        "terms": [{"goal": "maximise", "metric": "merit", "scale": 1.0}],
        "constraints": [{"metric": "merit", "at_most": 1.5}],
    }
    lab = Lab(campaign(1, objective=bound, planner={"initial": 20}), lambda p, _: hill(p), sd=0.01)
    lab.run(16)
    found = lab.planner.models.posterior_best()
    assert found is not None
    assert found.feasibility >= 0.5
    assert hill(lab.trials[found.trial].candidate.parameters) < 1.55
    unreachable = bound | {"constraints": [{"metric": "merit", "at_least": 9}]}
    none = Lab(campaign(1, objective=unreachable), lab.answer, sd=0.01)
    none.run(6)
    assert none.planner.models.posterior_best() is None


def test_a_candidate_that_was_lucky_to_keep_a_constraint_is_doubted() -> None:
    bound = {
        "terms": [{"goal": "maximise", "metric": "merit", "scale": 1.0}],
        "constraints": [{"metric": "merit", "at_most": 1.5}],
    }
    lab = Lab(campaign(1, objective=bound, planner={"initial": 20}), lambda p, n: hill(p) - 0.6 * (n == 4), sd=0.3)
    for number, place in enumerate((0.3, 0.29, 0.31, 0.28, 0.305, 0.9)):
        _, candidate, proposal = lab.planner.take(Candidate({"x0": place}), "asked")
        lab.trials.append(lab._ended(number, candidate, proposal))
        lab.planner.ingest(lab.trials[-1])
    lucky = lab.trials[4]
    assert lucky.score is not None
    assert lucky.score < 1.5, "kept as measured"
    text = lab.planner.models.doubts()[4]
    assert re.fullmatch(r"merit <= 1\.5 with probability 0\.[0-4]\d*", text)
    assert 5 not in lab.planner.models.doubts()
    assert Lab(campaign(1), lab.answer).planner.models.doubts() == {}


@pytest.mark.slow
def test_it_is_the_same_after_the_trials_were_recalled() -> None:
    lab = noisy(0.3, 5)
    lab.run(12)
    again = Planner(lab.campaign, Encoder(lab.campaign.space))
    again.recall(lab.trials)
    assert again.models.posterior_best() == lab.planner.models.posterior_best()


@pytest.mark.slow
def test_status_tells_it_with_its_interval_as_the_run_has_kept_it(bench: Bench) -> None:
    bench.run(quick(), max_trials=2)
    text = CliRunner().invoke(app, ["status", "--store", bench.url]).stdout
    assert "best by the model: there is no model before 3 trials are completed" in text
    bench.run(quick(), max_trials=3)
    kept = Reader(bench.url).posterior_best()
    assert kept is not None
    text = CliRunner().invoke(app, ["status", "--store", bench.url]).stdout
    found, _ = kept
    if found is not None:
        assert f"best by the model: trial {found.trial}, score" in text
        assert "95 % interval" in text


@pytest.mark.slow
def test_what_a_kill_has_kept_from_the_store_is_found_again_at_the_start(bench: Bench) -> None:
    bench.run(quick(), max_trials=5)
    kept = Reader(bench.url).posterior_best()
    with sqlite3.connect(bench.folder / "test.db") as database:
        database.execute("delete from artefact where kind = 'posterior best'")
    database.close()
    assert Reader(bench.url).posterior_best() is None
    bench.run(quick(budget={"trials": 5}))
    assert Reader(bench.url).posterior_best() == kept


def bounded(merits: list[float], margins: list[float]) -> tuple[CampaignPosterior, list[TrialRecord]]:
    """Return what is known after some trials of a campaign in which the metric g has to be at least 0.5."""
    step = only_step(["f", "g"], "a")
    data = quick(
        space={"parameters": {"a": {"kind": "float", "unit": "1", "low": 0, "high": 1}}},
        metrics={name: {"kind": "measured", "unit": "1"} for name in "fg"},
        objective={
            "terms": [{"goal": "maximise", "metric": "f", "scale": 1}],
            "constraints": [{"metric": "g", "at_least": 0.5}],
        },
        workflow=[step],
    )
    plan = Campaign(**data)
    done = [Candidate({"a": place / (len(merits) - 1)}) for place in range(len(merits))]
    found = {
        "f": [MetricValue(value, 0.01, "1") for value in merits],
        "g": [MetricValue(0.5 + value, 0.1, "1") for value in margins],
    }
    history = TrainingData(done, found, [], frozenset(c.key() for c in done))
    posterior = fit_posterior(OptimizationProblem(plan, Encoder(plan.space)), history)
    return posterior, [trial(i, TrialState.COMPLETED, candidate=c, score=merits[i]) for i, c in enumerate(done)]


def test_a_score_that_may_well_be_infeasible_is_worth_less_than_a_sure_one_that_is_a_little_lower() -> None:
    posterior, trials = bounded(
        [1.5, 1.4, 1.3, 1.2, 1.15, 1.1, 1.0, 0.9], [-0.3, -0.2, -0.1, 0.03, 0.15, 0.25, 0.35, 0.45]
    )
    found = posterior_best(posterior, trials, 1)
    assert found is not None
    assert (found.trial, found.feasibility) == (4, pytest.approx(1.0, abs=0.01))


def test_where_not_all_can_be_asked_about_feasible_candidates_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loop.planning.posterior_best._MOST", 2)
    posterior, trials = bounded([3.0, 0.0, 3.0, 0.5, 3.0, 1.0], [-2.0, 2.0, -2.0, 2.0, -2.0, 2.0])
    found = posterior_best(posterior, trials, 1)
    assert found is not None
    assert found.trial == 5


@pytest.mark.parametrize(("chance", "best"), [(0.45, 1), (0.55, 0)])
def test_a_candidate_is_the_best_from_an_even_chance_of_being_feasible_on(chance: float, best: int) -> None:
    posterior, trials = bounded([9.0, 3.0, 0.0, 0.0], [0.2, 1.0, 1.0, 1.0])
    g = replace(posterior, models=posterior.processes).marginal(posterior.rows[:1], 512, 1)["g"][:, 0]
    data = posterior.problem.campaign.model_dump()
    data["objective"]["constraints"] = [{"metric": "g", "at_least": float(g.quantile(1.0 - chance))}]
    shifted = OptimizationProblem(Campaign(**data), posterior.problem.encoder)
    found = posterior_best(replace(posterior, problem=shifted), trials, 1)
    assert found is not None
    assert found.trial == best
