"""The benchmark on eight materials: its truth is the lab's truth, and it counts what it says it counts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.arms import Arm, Limits, RandomPlanner, Run, Task, by_composition, run_task
from benchmarks.cathode_truth import CYCLING, FIRING, Goal, Truth, build_truth, draw, find_goal
from benchmarks.results import Results
from benchmarks.tables import comparison, conclusions
from campaigns.campaign import BudgetConfig, Campaign
from campaigns.load import load_campaign
from campaigns.spaces.parameters import FloatConfig
from campaigns.values import Candidate, MetricValue, Scalar
from instruments.analyses.context import AnalysisContext
from loop.execution.laboratory.lab_setup import load_analysis
from loop.execution.options import RunOptions
from loop.planning.pool_data import PoolData, build_pool_data
from loop.run import run
from loop.storage.paths import ready_campaigns
from tests.benchmarks.pools import NAMES

pytestmark = pytest.mark.slow

LIMITS = Limits(planned=8, random=12)
EASY = Goal(threshold=-100.0, feasible=0.3, best=2.0, materials=NAMES)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The cathode campaign on eight materials, with a cache of its own."""
    folder = tmp_path_factory.mktemp("cathode")
    text = ready_campaigns()["cathode"].read_text()
    path = folder / "few.yaml"
    text = text.replace("surrogates.pools.prototypes:cathodes", "tests.benchmarks.pools:few")
    path.write_text(text.replace("initial: 10", "initial: 3"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATHANOR_CACHE", str(folder))
        yield path


@pytest.fixture(scope="module")
def campaign(file: Path) -> Campaign:
    return load_campaign(file)


@pytest.fixture(scope="module")
def materials(campaign: Campaign) -> PoolData:
    found = build_pool_data(campaign)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def truth(campaign: Campaign, materials: PoolData) -> Truth:
    return build_truth(campaign, materials)


@pytest.fixture(scope="module")
def runs(file: Path) -> dict[Arm, Run]:
    return {arm: run_task(Task(file, arm, 1, EASY, LIMITS)) for arm in Arm}


def measured(truth: Truth, materials: PoolData, candidate: Candidate, seed: int) -> dict[str, MetricValue]:
    """Make and measure a candidate with all noise."""
    rng = np.random.default_rng(seed)
    material = str(candidate.material)
    firing, cycling = truth.recipes(candidate.parameters)
    sample = truth.physics.synthesise(material, firing, rng)
    scan = truth.physics.diffract(sample, {"count_time": 1.0}, rng)
    curve = truth.physics.discharge(sample, cycling, rng)
    found: dict[str, MetricValue] = {}
    for step, names, data in (
        ("diffract", ("two_theta", "counts"), scan),
        (CYCLING, ("capacity", "voltage"), curve),
    ):
        analysis = load_analysis(truth.campaign.step(step))
        assert analysis is not None
        context = AnalysisContext(material, materials.pool[material].structure)
        found |= analysis(dict(zip(names, data, strict=True)), context).metrics
    return found


@pytest.mark.parametrize(
    ("material", "temperature", "time", "atmosphere"),
    [
        ("Co", 850.0, 12.0, "air"),
        ("Ni", 720.0, 20.0, "oxygen"),
        ("Cr", 700.0, 6.0, "argon"),
        ("V", 900.0, 4.0, "argon"),
    ],
)
def test_the_truth_is_what_the_lab_measures_on_average(
    truth: Truth, materials: PoolData, material: str, temperature: float, time: float, atmosphere: str
) -> None:
    parameters: dict[str, Scalar] = {"temperature": temperature, "time": time, "atmosphere": atmosphere}
    candidate = Candidate(parameters, f"Li{material}O2-layered")
    true = truth.metrics(candidate)
    samples = [measured(truth, materials, candidate, seed) for seed in range(6)]
    for name in ("phase_fraction", "capacity", "mean_voltage"):
        values = np.array([sample[name].value for sample in samples])
        sd = np.hypot(values.std(ddof=1) / 6**0.5, samples[0][name].sd)  # scatter of samples, and what all may share
        assert abs(values.mean() - true[name]) < 3 * sd, name


def test_the_truth_has_no_noise_and_knows_what_is_infeasible(truth: Truth) -> None:
    good = Candidate({"temperature": 850.0, "time": 12.0, "atmosphere": "air"}, "LiCoO2-layered")
    assert truth.score(good) == truth.score(good)
    values = truth.metrics(good)
    energy, cost, risk = values["specific_energy"], values["cost"], values["supply_risk"]
    assert truth.score(good) == pytest.approx(0.6 * energy / 300 - 0.2 * cost / 20 - 0.2 * risk / 0.3)
    cold = Candidate({"temperature": 500.0, "time": 2.0, "atmosphere": "air"}, "LiCoO2-layered")
    assert truth.score(cold) == -np.inf


def test_one_in_a_hundred_fresh_candidates_reaches_the_goal(truth: Truth) -> None:
    goal = find_goal(truth, draws=3000, recipes=32)
    generator = np.random.default_rng(5)
    fresh = [truth.score(draw(truth.campaign.space, truth.ids, generator)) for _ in range(3000)]
    assert np.mean([score >= goal.threshold for score in fresh]) == pytest.approx(0.01, abs=0.008)
    assert np.mean(np.isfinite(fresh)) == pytest.approx(goal.feasible, abs=0.04)
    assert len(goal.materials) == 1
    assert goal.best >= goal.threshold


def test_random_candidates_follow_from_the_seed_and_fill_the_space(campaign: Campaign) -> None:
    one, two = RandomPlanner(campaign, NAMES), RandomPlanner(campaign, NAMES)
    candidates = [one.suggest()[1] for _ in range(300)]
    assert candidates == [two.suggest()[1] for _ in range(300)]
    assert all(campaign.space.contains(c) for c in candidates)
    assert {c.material for c in candidates} == set(NAMES)
    time = campaign.space.parameters["time"]
    assert isinstance(time, FloatConfig)
    fractions = [time.fraction(c.parameters["time"]) for c in candidates]
    assert np.mean(fractions) == pytest.approx(0.5, abs=0.06)


def test_athanor_s_campaigns_are_those_of_athanor_run(file: Path, runs: dict[Arm, Run], tmp_path: Path) -> None:
    changes = {"seed": 1, "budget": BudgetConfig(trials=LIMITS.planned), "stopping": ()}
    campaign = load_campaign(file).model_copy(update=changes)
    outcome = run(campaign, RunOptions(f"sqlite:///{tmp_path}/few.db", ""), lambda _: None)
    trials = sorted(runs[Arm.ATHANOR].trials, key=lambda t: t["number"])
    assert [(t["material"], t["parameters"], t["score"]) for t in trials] == [
        (t.candidate.material, t.candidate.parameters, t.score) for t in outcome.trials
    ]
    assert {t["generator"] for t in trials} == {"space-filling", "model"}


def test_each_way_of_choosing_has_its_number_of_trials(file: Path, runs: dict[Arm, Run]) -> None:
    assert len(runs[Arm.ATHANOR].trials) == LIMITS.planned
    # found at once, a random search goes on for as long as the other, and then finishes what is under way
    assert LIMITS.planned <= len(runs[Arm.RANDOM].trials) < LIMITS.random + 1
    for run_ in runs.values():  # what breaks a constraint is never found, and every other candidate is
        keeps = [t["true_score"] is not None for t in run_.trials]
        assert run_.found == (1 + keeps.index(True) if any(keeps) else None)
    assert runs[Arm.RANDOM].found is not None
    hopeless = run_task(Task(file, Arm.RANDOM, 1, replace(EASY, threshold=100.0), LIMITS))
    assert hopeless.found is None
    assert len(hopeless.trials) == LIMITS.random


def test_the_best_materials_are_counted_by_what_was_measured(runs: dict[Arm, Run]) -> None:
    for run_ in runs.values():
        good = {t["material"] for t in run_.trials[: LIMITS.planned] if t["feasible"]}
        assert run_.materials == len(good)
        assert run_.memory > 2**20
        assert run_.wall > 0


def test_results_are_kept_and_found_again(file: Path, runs: dict[Arm, Run], tmp_path: Path) -> None:
    task = Task(file, Arm.ATHANOR, 1, EASY, LIMITS)
    path = tmp_path / "results" / "few.jsonl"
    Results(path).add(task, runs[Arm.ATHANOR])
    with path.open("a") as torn:
        torn.write('{"key": "')
    kept = Results(path).find(task)
    assert kept is not None
    assert (kept.found, kept.trials) == (runs[Arm.ATHANOR].found, runs[Arm.ATHANOR].trials)
    assert Results(path).find(replace(task, seed=2)) is None


def told(runs: dict[Arm, Run], found: dict[Arm, tuple[int | None, ...]]) -> str:
    """Return table and conclusions where the campaigns of each arm found something after so many trials."""
    shown = [replace(runs[arm], seed=i, found=at) for arm, each in found.items() for i, at in enumerate(each)]
    console = Console(width=160, file=io.StringIO())
    with console.capture() as capture:
        console.print(comparison(shown, LIMITS, EASY), *conclusions(shown, LIMITS), sep="\n")
    return capture.get()


def test_composition_alone_sees_nothing_else_and_has_no_prior(campaign: Campaign, runs: dict[Arm, Run]) -> None:
    plain = by_composition(campaign)
    assert [f.kind for f in plain.surrogate.features] == ["composition"]
    assert all(m.prior is None for m in plain.measured.values())
    assert plain.measured["capacity"].proportional_to == campaign.measured["capacity"].proportional_to
    same = {"metrics": campaign.metrics, "surrogate": campaign.surrogate}
    assert plain.model_copy(update=same) == campaign
    assert plain.computed == campaign.computed
    trials = runs[Arm.COMPOSITION].trials
    assert len(trials) == LIMITS.planned
    assert {t["generator"] for t in trials} == {"space-filling", "model"}


def test_the_table_says_when_nothing_was_found(runs: dict[Arm, Run]) -> None:
    text = told(runs, {Arm.ATHANOR: (1,), Arm.COMPOSITION: (4,), Arm.RANDOM: (None,)})
    assert "1 (1 to 1)" in text
    assert "4 (4 to 4)" in text
    assert ">12 (>12 to >12)" in text
    assert "Athanor against random: at least 12.0" in text
    assert "composition only against random: at least 3.0" in text
    assert "Athanor against composition only: 4.0" in text
    assert "censored): random seed 0" in text


def test_a_factor_between_two_that_found_nothing_is_not_told(runs: dict[Arm, Run]) -> None:
    text = told(runs, {Arm.ATHANOR: (None, 2), Arm.COMPOSITION: (None, None), Arm.RANDOM: (3, 5)})
    assert "Athanor against composition only: unknown" in text
    assert "composition only against random: at most 0.5" in text


def test_the_truth_names_steps_of_the_campaign(campaign: Campaign) -> None:
    assert {FIRING, CYCLING} <= {step.name for step in campaign.workflow}
