from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from campaigns.campaign import Campaign
from campaigns.values import Candidate, MetricValue
from loop.planning.fitting import FitCaches, ModelRestrictions, fit_posterior, observations
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import CampaignPosterior, TrainingData
from surrogates.models.encoder import Encoder
from tests.loop.conftest import only_step, quick

Answer = Callable[[float], float | None]


def campaign(find: str = "best", **metrics: dict[str, Any]) -> Campaign:
    """A parameter a, and the metrics f and g, of which f is wanted."""
    measured = {name: {"kind": "measured", "unit": "1", **metrics.get(name, {})} for name in "fg"}
    data = quick(
        space={"parameters": {"a": {"kind": "float", "unit": "1", "low": 0, "high": 1}}},
        metrics=measured,
        objective={"terms": [{"goal": "maximise", "metric": "f", "scale": 1}], "find": {"kind": find}},
        workflow=[only_step("fg", "a")],
    )
    return Campaign(**data)


def history(places: Sequence[float], f: Answer, g: Answer, sd: float = 0.01) -> TrainingData:
    done = [Candidate({"a": a}) for a in places]

    def column(answer: Answer) -> list[MetricValue | None]:
        values = [answer(a) for a in places]
        return [None if value is None else MetricValue(value, sd, "1") for value in values]

    return TrainingData(done, {"f": column(f), "g": column(g)}, [], frozenset(c.key() for c in done))


def fitted(plan: Campaign, given: TrainingData, **options: Any) -> CampaignPosterior:
    return fit_posterior(OptimizationProblem(plan, Encoder(plan.space)), given, **options)


PLACES = [i / 11 for i in range(12)]


def test_a_metric_that_was_never_obtained_has_no_model() -> None:
    posterior = fitted(campaign(), history(PLACES, lambda a: a, lambda _: None))
    assert list(posterior.models) == ["f"]


def test_each_metric_is_learnt_from_the_trials_that_have_it() -> None:
    posterior = fitted(campaign(), history(PLACES, lambda a: a, lambda a: 2 * a if a < 0.5 else None))
    assert posterior.measured["g"].isnan().tolist() == [a >= 0.5 for a in PLACES]
    assert float(posterior.models["g"].marginals(posterior.rows[:1])[0]) == pytest.approx(0.0, abs=0.1)


def test_a_ratio_is_learnt_with_the_uncertainty_of_both() -> None:
    plan = campaign(f={"proportional_to": "g"})
    given = history([0.2, 0.8], lambda _: 6.0, lambda _: 2.0, sd=0.4)
    rows = Encoder(plan.space).encode(given.done)
    found = observations(plan.measured["f"], "f", given, rows)
    assert found.values.tolist() == [3.0, 3.0]
    assert found.sds[0].item() == pytest.approx(3.0 * ((0.4 / 6) ** 2 + (0.4 / 2) ** 2) ** 0.5)


@pytest.mark.slow
def test_places_of_outliers_are_those_among_all_trials() -> None:
    spoilt = 7
    given = history(PLACES, lambda a: None if a == 0.0 else 9.0 if a == PLACES[spoilt] else a, lambda a: a)
    posterior = fitted(campaign(), given)
    assert list(posterior.outliers["f"]) == [spoilt]
    assert not posterior.trusted[spoilt]
    assert posterior.outcomes[0][spoilt] == posterior.worst


@pytest.mark.slow
def test_where_one_best_is_wanted_in_a_box_a_conservative_model_chooses() -> None:
    given = history(PLACES, lambda a: a, lambda a: a)
    between = torch.tensor([[0.5 / 11]], dtype=torch.float64)
    best, many = (fitted(campaign(find), given) for find in ("best", "many"))
    assert set(best.standard_models) == {"f", "g"}
    assert many.standard_models == {}
    assert many.standard is many
    wide, narrow = (float(each.models["f"].marginals(between)[1]) for each in (best, best.standard))
    assert wide > narrow


@pytest.mark.slow
def test_standard_deviations_grow_by_the_inflation_that_a_model_needs() -> None:
    given = history(PLACES, lambda a: a * a, lambda a: a)
    row = torch.tensor([[0.5]], dtype=torch.float64)
    plain, wide = (
        fitted(campaign("many"), given, restrictions={"f": ModelRestrictions(inflation=factor)}).processes["f"]
        for factor in (1.0, 3.0)
    )
    assert float(wide.marginals(row)[1]) == pytest.approx(3.0 * float(plain.marginals(row)[1]), rel=1e-6)


@pytest.mark.slow
def test_caches_save_time_and_change_nothing() -> None:
    caches: FitCaches = {}
    rows = torch.tensor([[0.33], [0.77]], dtype=torch.float64)
    for count in (8, 12):
        given = history(PLACES[:count], lambda a: a * a, lambda a: a)
        kept, anew = fitted(campaign(), given, caches=caches), fitted(campaign(), given)
        assert kept.models["f"].marginals(rows)[0].tolist() == anew.models["f"].marginals(rows)[0].tolist()
    assert caches
