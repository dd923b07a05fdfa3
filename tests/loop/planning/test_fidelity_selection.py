import math
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from campaigns.campaign import Campaign
from campaigns.errors import SampleError
from campaigns.fidelity import FULL
from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.candidate_results import best, results
from loop.core.proposals import Proposal
from loop.core.records import TrialRecord
from loop.planning.experiment import CampaignExperiment
from loop.planning.fidelity_selection import FidelitySelector, LowFidelityData, plan
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.planner import Planner
from loop.storage.reader import Reader
from surrogates.models.encoder import Encoder
from tests import trials
from tests.loop.conftest import Bench, quick

Truth = Callable[..., float]
SEEDS = (0, 2)  # a search that is short, and one that is long
FOUND = -0.6
SCAN = {"quick": {"kind": "computed", "function": "campaigns.values:Candidate", "gives": ["y"], "cost": 1}}


def campaign(seed: int, **changes: Any) -> Campaign:
    """Return a campaign of two settings and one metric, at 10 USD."""
    parameters = {name: {"kind": "float", "unit": "1", "low": 0, "high": 1} for name in ("a", "b")}
    step = trials.campaign().workflow[1].model_dump()
    own = {
        "seed": seed,
        "space": {"parameters": parameters},
        "metrics": {"y": {"kind": "measured", "unit": "eV"}},
        "objective": {"terms": [{"goal": "maximise", "metric": "y", "scale": "1 eV"}]},
        "workflow": [step | {"gives": ["y"], "recipe": {"a": "$a", "b": "$b"}, "cost": 10}],
        "planner": {"initial": 8},
    }
    return trials.campaign(**(own | changes))


def branin(a: float, b: float, bend: float = 0.0) -> float:
    """Return the negative of Branin's function, -0.4 at its three best places; a bend makes it a cheap version."""
    x, y = 15.0 * a - 5.0, 15.0 * b
    valley = y - (5.1 / (4.0 * math.pi**2) - bend) * x**2 + 5.0 / math.pi * x - 6.0
    return -(valley**2 + 10.0 * (1.0 - 1.0 / (8.0 * math.pi)) * math.cos(x) + 10.0)


def rough(a: float, b: float) -> float:
    """Return a cheap version that is bent as botorch's AugmentedBranin is, and has another scale and offset."""
    return 0.4 * branin(a, b, 0.07) + 30.0


def unrelated(a: float, b: float) -> float:
    return math.sin(11.0 * a + 3.0) * math.cos(7.0 * b)


def ended(planner: Planner, cheap: Truth) -> TrialRecord:
    """Return the next trial, measured."""
    number, candidate, proposal = planner.suggest()
    at = float(candidate.parameters["a"]), float(candidate.parameters["b"])
    y = branin(*at) if proposal.fidelity == FULL else cheap(*at)
    found = {"candidate": candidate, "proposal": proposal, "completed_order": number}
    if proposal.fidelity != FULL:
        metrics = {f"{proposal.fidelity}.y": MetricValue(y, 0.0, "eV")}
        return trials.trial(number, TrialState.COMPLETED, metrics=metrics, **found)
    metrics, score = {"y": MetricValue(y, 0.0, "eV")}, {"score": y, "score_sd": 0.0, "feasible": True}
    return trials.trial(number, TrialState.COMPLETED, metrics=metrics, **score, **found)


def cost(seed: int, cheap: Truth | None, most: float = 35.0) -> float:
    """Return what it costs to come near the best, in full measurements."""
    plan_ = campaign(seed, fidelities=SCAN if cheap else {})
    planner, spent = Planner(plan_, Encoder(plan_.space)), 0.0
    while spent < most:
        trial = ended(planner, cheap or branin)
        spent += plan_.cost_of(trial.fidelity) / plan_.cost_of(FULL)
        if trial.score is not None and trial.score >= FOUND:
            return spent
        planner.ingest(trial)
    return most


@pytest.fixture(scope="module")
def alone() -> float:
    return sum(cost(seed, None) for seed in SEEDS)


@pytest.mark.slow
def test_a_rough_but_cheap_version_saves_money(alone: float) -> None:
    assert sum(cost(seed, rough) for seed in SEEDS) < 0.85 * alone


@pytest.mark.slow
def test_a_proxy_that_tells_nothing_costs_little(alone: float) -> None:
    assert sum(cost(seed, unrelated) for seed in SEEDS) <= 1.2 * alone


def test_the_start_is_cheap_first_and_costs_less_than_without() -> None:
    one, two = campaign(0), campaign(0, fidelities=SCAN)
    assert plan(one) == (FULL,) * 8
    assert plan(two) == ("quick",) * 16 + (FULL,) * 4


def after(cheap: int, full: int) -> Planner:
    """Return a planner after so many measurements of a proxy for a fifth of the cost, and so many in full."""
    plan_ = campaign(3, fidelities={"quick": SCAN["quick"] | {"cost": 2}})
    planner, rng = Planner(plan_, Encoder(plan_.space)), np.random.default_rng(0)
    for number in range(cheap + full):
        at = [float(x) for x in rng.random(2)]
        given: dict[str, Any] = {"candidate": Candidate({"a": at[0], "b": at[1]}), "completed_order": number}
        y = MetricValue(rough(*at) if number < cheap else branin(*at), 0.0, "eV")
        if number < cheap:
            given |= {"metrics": {"quick.y": y}, "proposal": Proposal("model", fidelity="quick")}
        else:
            given |= {"metrics": {"y": y}, "score": y.value, "score_sd": 0.0, "feasible": True}
        planner.recall([trials.trial(number, TrialState.COMPLETED, **given)])
    return planner


def bought(cheap: int, full: int) -> str:
    """Return the fidelity that is chosen next after so many measurements."""
    return after(cheap, full).suggest()[2].fidelity


@pytest.mark.slow
def test_cheap_measurements_never_cost_more_than_full_ones_have() -> None:
    assert bought(cheap=20, full=5) == "quick"
    assert bought(cheap=20, full=4) == FULL, "one more would make 42 USD, when full ones have cost 40"


class Proposed:
    """An experiment in which some candidates were proposed at the lower fidelity."""

    def __init__(self, seen: Collection[tuple[object, ...]]) -> None:
        self._seen = frozenset(seen)

    def count(self, fidelity: str) -> int:
        return 9 if fidelity == FULL else 0

    def seen(self, fidelity: str) -> frozenset[tuple[object, ...]]:
        return frozenset() if fidelity == FULL else self._seen


@pytest.mark.slow
def test_no_candidate_is_measured_twice_at_a_lower_fidelity() -> None:
    posterior = after(cheap=20, full=5).models.posterior()
    grid = [Candidate({"a": a / 4, "b": b / 4}) for a in range(5) for b in range(5)]
    selector = FidelitySelector(posterior, grid)
    first = selector.cheaper(cast(CampaignExperiment, Proposed(())))
    assert first is not None
    second = selector.cheaper(cast(CampaignExperiment, Proposed([first[1].key()])))
    assert second is None or second[1] != first[1]
    assert selector.cheaper(cast(CampaignExperiment, Proposed([one.key() for one in grid]))) is None


@pytest.mark.slow
def test_a_planner_that_was_rebuilt_goes_on_as_before() -> None:
    plan_ = campaign(2, fidelities=SCAN)
    first, done = Planner(plan_, Encoder(plan_.space)), []
    for _ in range(24):
        done.append(ended(first, rough))
        first.ingest(done[-1])
    again = Planner(plan_, Encoder(plan_.space))
    again.recall(done)
    proposed = first.suggest()
    assert again.suggest() == proposed
    assert set(proposed[2].learnt_from) == set(range(24))


def test_only_full_measurements_are_the_best() -> None:
    low = trials.completed(0, 900.0)
    low = replace(low, proposal=replace(low.proposal, fidelity="quick"), score=None, feasible=None)
    high = trials.completed(1, 100.0)
    found = best(results(trials.campaign().build_objective(), [low, high]))
    assert found is not None
    assert found.trials == (high,)


def estimate(candidate: Candidate, structure: object) -> MetricValue:
    """Return a guess of the capacity that falls with the distance to 780 degC."""
    if candidate.parameters["atmosphere"] == "argon":
        raise SampleError("nobody calcines it in argon")
    return MetricValue(0.2 - 0.001 * abs(float(candidate.parameters["temperature"]) - 780.0), 0.02, "Ah/g")


def calcination(**changes: Any) -> dict[str, Any]:
    """Return ten trials of calcination, with a shorter measurement and a computation of the capacity."""
    data = quick(**changes)
    calcine, _, cycle = data["workflow"]
    scan = [calcine | {"name": "calcine_again", "cost": 10}, cycle | {"name": "formation", "cost": 5}]
    data["fidelities"] = {
        "formation": {"kind": "measured", "workflow": scan},
        "guess": {
            "kind": "computed",
            "function": "tests.loop.planning.test_fidelity_selection:estimate",
            "gives": ["capacity"],
            "cost": 1,
        },
    }
    return data


@pytest.mark.slow
def test_a_campaign_goes_through_all_fidelities(bench: Bench) -> None:
    outcome = bench.run(calcination(budget={"trials": 6}))
    by_fidelity = {name: [t for t in outcome.trials if t.fidelity == name] for name in (FULL, "formation", "guess")}
    assert len(by_fidelity[FULL]) == 6
    assert all(t.score is None for name in ("formation", "guess") for t in by_fidelity[name])
    first = next(t for t in by_fidelity["formation"] if t.state is TrialState.COMPLETED)
    assert set(first.metrics) == {"formation.capacity", "formation.mean_voltage"}
    assert [s.name for s in first.steps] == ["calcine_again", "formation"]
    guesses = by_fidelity["guess"]
    assert {t.state for t in guesses} <= {TrialState.COMPLETED, TrialState.FAILED}
    told = next(t for t in guesses if t.state is TrialState.COMPLETED).metrics["guess.capacity"]
    assert (told.unit, told.sd) == ("mAh/g", pytest.approx(20.0))
    assert all("argon" in t.reason for t in guesses if t.state is TrialState.FAILED)
    assert sum(s.cost for t in guesses for s in t.steps) == len(guesses)


@pytest.mark.slow
def test_a_campaign_that_was_interrupted_buys_the_same(bench_of: Callable[[str], Bench]) -> None:
    one, two = bench_of("one"), bench_of("two")
    data = calcination(budget={"trials": 4})
    one.run(data)
    two.run(data, max_trials=9)
    two.run(data)
    whole, parts = Reader(one.url).trials(), Reader(two.url).trials()
    assert [(t.fidelity, t.candidate) for t in whole] == [(t.fidelity, t.candidate) for t in parts]


@pytest.mark.slow
def test_a_report_tells_of_all_fidelities(bench: Bench, tmp_path: Path) -> None:
    from loop.report.campaign_report import write_report

    bench.run(calcination(budget={"trials": 4}))
    assert "formation.capacity" in write_report(Reader(bench.url), tmp_path / "report.html").read_text()


def test_two_cheap_measurements_are_no_source_and_forgotten_ones_are_none_either() -> None:
    plan_ = campaign(0, fidelities=SCAN)
    problem = OptimizationProblem(plan_, Encoder(plan_.space))
    data = LowFidelityData(problem)
    sources = []
    for number in range(3):
        found = {"candidate": Candidate({"a": 0.3 * number, "b": 0.5}), "proposal": Proposal("model", fidelity="quick")}
        metrics = {"quick.y": MetricValue(float(number), 0.0, "eV")}
        data.learn(trials.trial(number, TrialState.COMPLETED, metrics=metrics, **found))
        sources.append(len(data.source_models(problem).by_metric["y"]))
    assert sources == [0, 0, 1]
    data.forget()
    assert data.numbers == ()
    assert data.source_models(problem).by_metric["y"] == ()
