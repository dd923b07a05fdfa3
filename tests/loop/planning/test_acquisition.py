from typing import Any

import numpy as np
import pytest
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.objective import LinearMCObjective
from botorch.models import ModelListGP
from botorch.sampling import SobolQMCNormalSampler
from scipy.stats import spearmanr

from campaigns.campaign import Campaign
from campaigns.values import Candidate, MetricValue
from loop.planning.acquisition import Choice, _exploited, acquisition_function, choose, predictions
from loop.planning.cost_weighting import CostPenalty
from loop.planning.fitting import fit_posterior
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import CampaignPosterior, TrainingData
from loop.planning.shortlist import SpaceExhaustedError
from loop.sampling.candidates import sobol
from surrogates.models.encoder import Encoder, MaterialTable
from tests.loop.conftest import only_step, quick

MATERIALS = 60


def campaign(**changes: Any) -> Campaign:
    """One material property and one of the recipe, a price that is known, and an upper bound on it."""
    data = quick(
        space={
            "parameters": {"temperature": {"kind": "float", "unit": "degC", "low": 600, "high": 1000}},
            "pool": {"kind": "generator", "function": "surrogates.pools.prototypes:cathodes"},
        },
        surrogate={"features": [{"kind": "chgnet"}]},
        metrics={
            "capacity": {"kind": "measured", "unit": "mAh/g"},
            "purity": {"kind": "measured", "unit": "1"},
            "cost": {
                "kind": "computed",
                "unit": "USD/kg",
                "function": "surrogates.predictors.electrodes:precursor_cost",
            },
        },
        objective={
            "terms": [{"goal": "maximise", "metric": "capacity", "scale": 10}],
            "constraints": [{"metric": "purity", "at_least": 0.5}, {"metric": "cost", "at_most": 50}],
        },
        **changes,
    )
    data["workflow"] = [only_step(["capacity", "purity"], ["temperature"])]
    return Campaign(**data)


def decide(problem: OptimizationProblem, history: TrainingData, seed: int) -> Choice:
    return choose(fit_posterior(problem, history), history, seed)


class World:
    """Capacity follows the material's first feature; purity peaks at a temperature; every third material is dear."""

    def __init__(self) -> None:
        self.features = np.random.default_rng(0).normal(size=(MATERIALS, 4)) / np.sqrt(8)
        cost = np.where(np.arange(MATERIALS) % 3 == 0, 100.0, 10.0)
        table = MaterialTable(tuple(map(str, range(MATERIALS))), {"features": self.features}, {"cost": cost})
        self.problem = OptimizationProblem(campaign(), Encoder(campaign().space, table))
        self.cost = cost

    def measure(self, candidate: Candidate) -> dict[str, MetricValue]:
        place, temperature = int(candidate.material or 0), float(candidate.parameters["temperature"])
        capacity = 150 + 60 * self.features[place, 0]
        purity = float(np.exp(-(((temperature - 850) / 100) ** 2)))
        return {"capacity": MetricValue(capacity, 1.0, "mAh/g"), "purity": MetricValue(purity, 0.01, "1")}

    def history(self, done: list[Candidate], pending: list[Candidate] | None = None) -> TrainingData:
        measured = [self.measure(c) for c in done]
        metrics = {name: [m[name] for m in measured] for name in ("capacity", "purity")}
        return TrainingData(done, metrics, pending or [], frozenset(c.key() for c in [*done, *(pending or [])]))

    def start(self, count: int = 8) -> list[Candidate]:
        settings = sobol(self.problem.campaign.space, count, 1)
        return [Candidate(s, str(7 * i % MATERIALS)) for i, s in enumerate(settings)]


@pytest.mark.slow
def test_it_finds_the_best_affordable_material_at_a_good_temperature() -> None:
    world = World()
    allowed = np.flatnonzero(world.cost < 50)
    best = set(allowed[np.argsort(-world.features[allowed, 0])[:2]].astype(str))
    done = world.start()
    for number in range(8):
        done.append(decide(world.problem, world.history(done), number).candidate)
    found = [c for c in done if c.material in best and world.measure(c)["purity"].value >= 0.5]
    assert found


@pytest.mark.slow
def test_a_bound_on_a_known_number_is_never_broken_and_nothing_is_proposed_twice() -> None:
    world = World()
    done = world.start()
    for number in range(4):
        choice = decide(world.problem, world.history(done), number)
        assert world.cost[int(choice.candidate.material or 0)] < 50
        assert world.problem.campaign.space.contains(choice.candidate)
        done.append(choice.candidate)
    assert len({c.key() for c in done}) == len(done)


@pytest.mark.slow
def test_a_pending_candidate_is_respected() -> None:
    world = World()
    done = world.start(14)
    first = decide(world.problem, world.history(done), 3)
    second = decide(world.problem, world.history(done, pending=[first.candidate]), 3)

    def gap(a: Candidate, b: Candidate) -> float:
        return abs(float(a.parameters["temperature"]) - float(b.parameters["temperature"]))

    assert second.candidate.material != first.candidate.material or gap(first.candidate, second.candidate) > 5


def test_alternatives_are_other_points_than_the_chosen_one_and_each_other() -> None:
    world = World()
    choice = decide(world.problem, world.history(world.start(14)), 3)
    offered = [choice.candidate, *(other.candidate for other in choice.alternatives)]
    assert len(offered) == 6
    rows = world.problem.encoder.encode(offered)
    apart = (rows[:, None] - rows).abs().amax(dim=-1) + torch.eye(len(rows))
    assert float(apart.min()) >= 0.01
    acquisitions = [choice.acquisition, *(other.acquisition for other in choice.alternatives)]
    assert acquisitions == sorted(acquisitions, reverse=True)


@pytest.mark.slow
def test_the_choice_is_a_function_of_history_and_seed() -> None:
    world = World()
    history = world.history(world.start())
    one, two = decide(world.problem, history, 5), decide(world.problem, history, 5)
    assert one == two
    assert isinstance(one, Choice)
    assert list(one.predictions) == ["capacity", "purity"]


def test_predictions_agree_with_what_is_then_measured() -> None:
    world = World()
    done = world.start(30)
    choice = decide(world.problem, world.history(done), 1)
    for name, predicted in choice.predictions.items():
        measured = world.measure(choice.candidate)[name]
        assert abs(measured.value - predicted.value) < 4 * (predicted.sd + measured.sd)
    mean, sd = choice.score
    assert mean == pytest.approx(choice.predictions["capacity"].value / 10, abs=0.1)
    assert sd > 0


def test_a_space_without_an_affordable_material_is_exhausted() -> None:
    world = World()
    table = MaterialTable(
        tuple(map(str, range(MATERIALS))), {"features": world.features}, {"cost": np.full(MATERIALS, 99.0)}
    )
    problem = OptimizationProblem(world.problem.campaign, Encoder(world.problem.campaign.space, table))
    with pytest.raises(SpaceExhaustedError):
        decide(problem, world.history(world.start()), 1)


def theirs(posterior: CampaignPosterior, rows: torch.Tensor, **changes: Any) -> torch.Tensor:
    """Return BoTorch's acquisition values of rows, with the world's objective written anew."""
    slack = float(posterior.measured["purity"].std(correction=0))
    options = {
        "model": posterior.model,
        "X_baseline": posterior.rows[posterior.outcomes[0].argsort(descending=True)],
        "sampler": SobolQMCNormalSampler(torch.Size([256]), seed=0),
        "objective": LinearMCObjective(torch.tensor([0.1, 0.0, 0.0], dtype=torch.float64)),
        "constraints": [lambda samples: (0.5 - samples[..., 1]) / slack, lambda samples: samples[..., 2] - 50],
        "prune_baseline": False,
    }
    with torch.no_grad():
        found: torch.Tensor = qLogNoisyExpectedImprovement(**options | changes)(rows.unsqueeze(-2))
    return found


def test_the_acquisition_is_botorchs_noisy_expected_improvement() -> None:
    world = World()
    done = world.start(16)
    posterior = fit_posterior(world.problem, world.history(done))
    rows = world.problem.encoder.encode([Candidate({"temperature": 850.0}, str(i)) for i in range(MATERIALS)])
    with torch.no_grad():
        ours = acquisition_function(posterior, world.history(done), 0)(rows.unsqueeze(-2))
    models = ModelListGP(*posterior.models.values())
    objective = LinearMCObjective(torch.tensor([0.1, 0.0], dtype=torch.float64))
    apart = theirs(
        posterior, rows, model=models, objective=objective, constraints=[lambda samples: 0.5 - samples[..., 1]]
    )
    affordable = torch.from_numpy(world.cost < 50)
    assert spearmanr(ours[affordable].numpy(), apart[affordable].numpy()).statistic > 0.9
    assert spearmanr(ours.numpy(), theirs(posterior, rows).numpy()).statistic > 0.99
    assert float(ours[~affordable].max()) < float(ours[affordable].max()) - 10.0


def test_the_acquisition_is_lower_by_the_log_of_the_probability_of_success() -> None:
    world = World()
    history = world.history(world.start(16))
    posterior = fit_posterior(world.problem, history)
    beside = posterior.with_failures([Candidate({"temperature": t}, "5") for t in (900.0, 940.0, 980.0)])
    rows = world.problem.encoder.encode([Candidate({"temperature": t}, "5") for t in (620.0, 760.0, 960.0)])
    with torch.no_grad():
        plain, guided = (acquisition_function(each, history, 0)(rows.unsqueeze(-2)) for each in (posterior, beside))
    assert torch.allclose(guided, plain + beside.success_weight(rows).log())
    assert float(beside.success(rows)[-1]) < 0.8 < float(posterior.success(rows)[-1])


@pytest.mark.slow
def test_many_good_candidates_are_found_where_many_are_wanted() -> None:
    world = World()
    data = campaign().model_dump() | {"objective": {**campaign().objective.model_dump(), "find": {"kind": "many"}}}
    problem = OptimizationProblem(Campaign(**data), world.problem.encoder)
    allowed = np.flatnonzero(world.cost < 50)
    best = set(allowed[np.argsort(-world.features[allowed, 0])[:8]].astype(str))
    done = world.start()
    for number in range(12):
        done.append(decide(problem, world.history(done), number).candidate)
    good = {c.material for c in done if c.material in best and world.measure(c)["purity"].value >= 0.5}
    assert len(good) >= 4


@pytest.mark.slow
def test_in_a_pool_without_parameters_no_material_is_proposed_twice_until_all_are() -> None:
    world = World()
    data = campaign().model_dump()
    data["space"]["parameters"], data["workflow"][0]["recipe"] = {}, {}
    only = Campaign(**data)
    problem = OptimizationProblem(only, Encoder(only.space, world.problem.encoder.materials))
    affordable = {str(i) for i in np.flatnonzero(world.cost < 50)}
    done = [Candidate({}, str(i)) for i in range(4)]

    def history() -> TrainingData:
        metrics = {
            "capacity": [MetricValue(150 + 60 * world.features[int(c.material or 0), 0], 1.0, "mAh/g") for c in done],
            "purity": [MetricValue(0.9, 0.01, "1") for _ in done],
        }
        return TrainingData(done, metrics, [], frozenset(c.key() for c in done))

    while {c.material for c in done} < affordable | {"0", "3"}:
        done.append(decide(problem, history(), len(done)).candidate)
    assert len({c.material for c in done}) == len(done)
    with pytest.raises(SpaceExhaustedError):
        decide(problem, history(), 99)


def test_what_is_proportional_to_another_metric_is_predicted_through_it() -> None:
    world = World()
    data = campaign().model_dump()
    data["metrics"]["capacity"]["proportional_to"] = "purity"
    problem = OptimizationProblem(Campaign(**data), world.problem.encoder)
    done = world.start(20)
    history = world.history(done)
    shares = [m.value for m in history.metrics["purity"]]
    capacity = [
        MetricValue(m.value * s, 0.5, "mAh/g") for m, s in zip(history.metrics["capacity"], shares, strict=True)
    ]
    posterior = fit_posterior(problem, TrainingData(done, {**history.metrics, "capacity": capacity}, [], history.seen))
    good, bad = predictions(posterior, [Candidate({"temperature": t}, "7") for t in (850.0, 650.0)])
    truth = 150 + 60 * world.features[7, 0]
    assert good["capacity"].value == pytest.approx(truth, rel=0.15)
    assert bad["capacity"].value < 0.5 * good["capacity"].value


def test_a_metric_within_limits_is_predicted_within_them_and_feasibility_follows() -> None:
    world = World()
    data = campaign().model_dump()
    data["metrics"]["purity"]["within"] = [0, 1]
    problem = OptimizationProblem(Campaign(**data), world.problem.encoder)
    posterior = fit_posterior(problem, world.history(world.start(20)))
    rows = problem.encoder.encode(
        [Candidate({"temperature": t}, str(m)) for t in (600.0, 800.0, 1000.0) for m in (1, 7)]
    )
    for drawn in (posterior.marginal(rows, 64, 0)["purity"], posterior.joint(rows, 64, 0)["purity"]):
        assert 0.0 <= float(drawn.min()) < float(drawn.max()) <= 1.0
    good, bad = predictions(posterior, [Candidate({"temperature": t}, "7") for t in (850.0, 650.0)])
    assert good["purity"].value > 0.5 > bad["purity"].value


@pytest.mark.slow
def test_a_material_without_a_worthwhile_gain_is_left_for_untried_ones() -> None:
    world = World()
    demanding = OptimizationProblem(
        campaign(stopping=[{"kind": "stagnation", "trials": 30, "improvement": 1e6}]), world.problem.encoder
    )
    done, polished = world.start(), 0
    for number in range(8):
        tried = {c.material for c in done}
        plain = decide(world.problem, world.history(done), number).candidate
        polished += plain.material in tried
        assert decide(demanding, world.history(done), number).candidate.material not in tried
        done.append(plain)
    assert polished > 0


def test_whether_a_gain_is_worthwhile_does_not_depend_on_what_it_costs() -> None:
    rules = [{"kind": "stagnation", "trials": 30, "improvement": 0.4}]
    data = campaign(stopping=rules, budget={"trials": 100}).model_dump()
    data["workflow"][0]["cost"] = "temperature - 590"
    world = World()
    problem = OptimizationProblem(Campaign(**data), world.problem.encoder)
    history = world.history(world.start())
    tried = history.done[0].material
    candidates = [Candidate({"temperature": t}, tried) for t in (600.0, 1000.0)]
    costs = CostPenalty.after(problem.campaign, history.paid).of_settings([c.parameters for c in candidates])
    assert float(costs[1]) > 0.3 > float(costs[0])
    for gain, polished in ((0.5, False), (0.3, True)):
        values = torch.tensor(gain).log() - costs
        assert _exploited(problem, history, candidates, values) == [polished, polished]
