import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import WeightedMCMultiOutputObjective
from botorch.models import ModelListGP
from botorch.sampling import SobolQMCNormalSampler
from scipy.stats import spearmanr

from campaigns.campaign import Campaign
from campaigns.values import Candidate, MetricValue
from loop.core.pareto import hypervolume
from loop.planning.acquisition import acquisition_function, choose
from loop.planning.fitting import fit_posterior
from loop.planning.hypervolume_improvement import HypervolumeImprovement, reference_of
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import CampaignPosterior, TrainingData
from surrogates.models.encoder import Encoder
from tests.loop.conftest import ROOT, only_step, quick
from tests.loop.planning.test_acquisition import World

TERMS = [
    {"goal": "maximise", "metric": "capacity", "scale": 10},
    {"goal": "maximise", "metric": "purity", "scale": 0.1},
]


def frontal(world: World, **changes: Any) -> OptimizationProblem:
    """The world's campaign, with capacity against purity, and affordable materials only."""
    data = world.problem.campaign.model_dump()
    bound = [{"metric": "cost", "at_most": 50}]
    data["objective"] = {"find": {"kind": "pareto"}, "terms": TERMS, "constraints": bound} | changes
    return OptimizationProblem(Campaign(**data), world.problem.encoder)


def box(axes: int = 2) -> OptimizationProblem:
    """Parameters a and b in the unit square; as many metrics as axes."""
    metrics = [f"f{i}" for i in range(axes)]
    step = only_step(metrics, "ab")
    campaign = Campaign(
        **quick(
            space={"parameters": {n: {"kind": "float", "unit": "1", "low": 0, "high": 1} for n in "ab"}},
            metrics={name: {"kind": "measured", "unit": "1"} for name in metrics},
            objective={
                "find": {"kind": "pareto"},
                "terms": [{"goal": "minimise", "metric": name, "scale": 1} for name in metrics],
            },
            workflow=[step],
        )
    )
    return OptimizationProblem(campaign, Encoder(campaign.space, None))


def measured(candidates: list[Candidate], axes: int = 2) -> TrainingData:
    """Squared distances to corners of the unit square: the front is the line, or the square, between these."""
    corners = np.array([(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0)])[:axes]
    places = np.array([[c.parameters["a"], c.parameters["b"]] for c in candidates], dtype=float)
    values = ((places[:, None] - corners) ** 2).sum(axis=-1)
    metrics = {f"f{i}": [MetricValue(float(v), 0.01, "1") for v in values[:, i]] for i in range(axes)}
    return TrainingData(candidates, metrics, [], frozenset(c.key() for c in candidates))


def start(count: int, seed: int = 0) -> list[Candidate]:
    places = np.random.default_rng(seed).random((count, 2)).round(3)
    return [Candidate({"a": float(a), "b": float(b)}) for a, b in places]


def values(posterior: CampaignPosterior, history: TrainingData, candidates: list[Candidate]) -> torch.Tensor:
    rows = posterior.problem.encoder.encode(candidates)
    with torch.no_grad():
        found: torch.Tensor = acquisition_function(posterior, history, seed=0)(rows.unsqueeze(-2))
    return found


def theirs(posterior: CampaignPosterior, rows: torch.Tensor) -> torch.Tensor:
    acquisition = qLogNoisyExpectedHypervolumeImprovement(
        model=ModelListGP(*posterior.models.values()),
        ref_point=reference_of(posterior),
        X_baseline=posterior.rows,
        sampler=SobolQMCNormalSampler(torch.Size([256]), seed=0),
        objective=WeightedMCMultiOutputObjective(torch.tensor([0.1, 10.0], dtype=torch.float64)),
        prune_baseline=False,
        cache_root=False,
    )
    found: torch.Tensor = acquisition(rows.unsqueeze(-2)).detach()
    return found


def test_candidates_are_ranked_as_botorch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logei, "_load_attempted", True)  # else it would compile
    world = World()
    problem, done = frontal(world), world.start(16)
    posterior = fit_posterior(problem, world.history(done))
    fresh = [
        Candidate({"temperature": t}, str(i)) for i in np.flatnonzero(world.cost < 50)[:20] for t in (750.0, 850.0)
    ]
    ours = values(posterior, world.history(done), fresh)
    others = theirs(posterior, problem.encoder.encode(fresh))
    high = others.topk(15).indices  # of the rest, both say that it is worthless
    assert spearmanr(ours[high].numpy(), others[high].numpy()).statistic > 0.9
    assert int(ours.argmax()) in others.topk(3).indices.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("axes", [2, 3])
def test_the_front_is_pushed_further_than_by_chance(axes: int) -> None:
    problem, done = box(axes), start(8)
    chance = [c for seed in range(5) for c in start(6, seed + 100)]
    for number in range(6):
        history = measured(done, axes)
        done.append(choose(fit_posterior(problem, history), history, number).candidate)

    def volume(candidates: list[Candidate]) -> float:
        metrics = measured(candidates, axes).metrics.values()
        return hypervolume([tuple(-m.value for m in row) for row in zip(*metrics, strict=True)], (-1.5,) * axes)

    by_chance = [volume(start(8) + chance[i : i + 6]) for i in range(0, 30, 6)]
    assert volume(done) > max(by_chance)


@pytest.mark.slow
def test_what_is_under_way_is_not_wanted_again() -> None:
    problem, history = box(), measured(start(12))
    posterior = fit_posterior(problem, history)
    first = choose(posterior, history, 1).candidate
    waiting = TrainingData(history.done, history.metrics, [first], history.seen | {first.key()})
    here = [first, choose(posterior, waiting, 1).candidate]
    before, after = (values(posterior, h, here) for h in (history, waiting))
    assert float(before[0] - after[0]) > 1.0
    assert float(before[0] - before[1]) < float(before[0] - after[0])


@pytest.mark.slow
def test_without_anything_feasible_feasible_volume_is_looked_for() -> None:
    world = World()
    constraints = [{"metric": "purity", "at_least": 0.9}]
    problem = frontal(world, constraints=constraints)
    done = [c for c in world.start(20) if world.measure(c)["purity"].value < 0.8][:8]
    for number in range(4):
        history = world.history(done)
        done.append(choose(fit_posterior(problem, history), history, number).candidate)
    assert max(world.measure(c)["purity"].value for c in done) >= 0.9


_FIRST = """
import time
from tests.loop.planning.test_hypervolume_improvement import box, measured, start
from loop.planning.acquisition import acquisition_function, choose
from loop.planning.fitting import fit_posterior
problem, history = box(), measured(start(8))
begun = time.process_time()
choose(fit_posterior(problem, history), history, 0)
print(time.process_time() - begun)
"""


@pytest.mark.slow
def test_the_first_choice_compiles_nothing_and_waits_for_no_lock(tmp_path: Path) -> None:
    lock = tmp_path / "logei_fused_ext" / "lock"
    lock.parent.mkdir()
    lock.touch()  # as a build leaves it that was killed
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in ("CXX", "CC")}
    environment |= {"PATH": str(empty), "TORCH_EXTENSIONS_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment |= {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", _FIRST], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) <= 2.0
    assert [p.name for p in lock.parent.iterdir()] == ["lock"]


def bounded(limit: float | None) -> OptimizationProblem:
    """The box of two terms, and a third metric that may be bounded."""
    data = box(3).campaign.model_dump()
    data["objective"]["terms"] = data["objective"]["terms"][:2]
    data["objective"]["constraints"] = [] if limit is None else [{"metric": "f2", "at_most": limit}]
    campaign = Campaign(**data)
    return OptimizationProblem(campaign, Encoder(campaign.space, None))


@pytest.mark.slow
def test_what_breaks_a_constraint_takes_no_volume_from_others() -> None:
    problem, history = bounded(0.6), measured(start(14), 3)
    acquisition = acquisition_function(fit_posterior(problem, history), history, seed=0)
    assert isinstance(acquisition, HypervolumeImprovement)
    broken = torch.tensor([m.value > 0.7 for m in history.metrics["f2"] if m is not None])
    rows = problem.encoder.encode(history.done)
    place = (acquisition.baseline.rows[:, None] == rows).all(dim=-1).long().argmax(dim=1)
    points, out = acquisition.fronts, broken[place]
    assert 0 < int(out.sum()) < len(out)
    assert bool((points[:, out] == acquisition.baseline.reference).all())
    assert not bool((points[:, ~out] == acquisition.baseline.reference).all())


@pytest.mark.slow
def test_a_gain_counts_by_the_probability_of_being_feasible() -> None:
    history = measured(start(14), 3)
    # both are infeasible: the first one would push the feasible front, the second one lies far behind it
    infeasible = [Candidate({"a": 0.65, "b": 0.4}), Candidate({"a": 0.98, "b": 0.02})]
    free, kept = (values(fit_posterior(bounded(limit), history), history, infeasible) for limit in (None, 0.6))
    assert float(free[0]) > -8.0
    assert bool((free - kept > 5.0).all())


@pytest.mark.slow
def test_of_what_no_sample_puts_before_the_front_the_nearer_counts_more() -> None:
    problem, history = box(), measured(start(14))
    posterior = fit_posterior(problem, history)
    behind = [Candidate({"a": a, "b": 1.0 - a}) for a in (0.99, 0.9, 0.8)]
    found = values(posterior, history, behind)
    assert found.tolist() == sorted(found.tolist())
    assert float(found[2] - found[0]) > 0.1
    assert float(found.min()) > np.log(1e-8)
