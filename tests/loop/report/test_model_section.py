import re
from dataclasses import replace

import numpy as np

from campaigns.surrogate import HealthConfig
from campaigns.values import MetricValue, TrialState
from loop.core.proposals import Proposal
from loop.core.records import TrialRecord
from loop.diagnostics.model_health import health
from loop.report.model_section import surrogate_parts
from tests.trials import MODELS, campaign, completed, predicted, trial


def shown(trials: list[TrialRecord]) -> str:
    return "".join(surrogate_parts(campaign(), trials))


def overconfident(count: int) -> list[TrialRecord]:
    """Return trials whose capacity was predicted with a tenth of the doubt that would have been due."""
    noise, trials = np.random.default_rng(0).normal(size=count), list[TrialRecord]()
    spare = completed(0, 100.0)
    for i in range(count):
        standing = health(HealthConfig(), trials, {"capacity": frozenset()})["capacity"]
        model = MODELS["capacity"] | {"health": standing.describe(), "choice": "chgnet", "loo": {"<mixture>": -1.0}}
        prediction = MetricValue(100.0 + i, 1.0 * standing.sd_factor, "mAh/g")
        proposal = Proposal(
            "model", None, {"capacity": prediction}, learnt_from=tuple(range(i)), models={"capacity": model}
        )
        metrics = {"capacity": MetricValue(100.0 + i + 10 * noise[i], 0.5, "mAh/g")}
        trials.append(replace(spare, number=i, completed_order=i, proposal=proposal, metrics=metrics))
    return trials


def test_without_any_model_there_is_nothing_to_say() -> None:
    assert "No model has proposed a trial yet." in shown([completed(0, 100.0)])


def test_what_became_of_a_model_is_told_with_its_reason() -> None:
    text = shown(overconfident(30))
    assert re.search(r"<td>\d+</td><td>capacity</td><td>the model is recalibrated: \d+ of the latest \d+", text)
    inside = r"95 % intervals contain \d+ % \(recalibrated below 65 %\)"
    factor = "standard deviations are multiplied by"
    assert re.search(f"<b>capacity</b>(recalibrated|simple): {inside}; {factor}", text)
    assert "0 to 15" in text
    assert "16 to 29" in text
    assert "&lt;mixture&gt;" in text


def test_the_models_that_are_believed_beside_the_process_are_told() -> None:
    model = {"choice": "matern", "loo": {"matern": -0.5, "warped": -0.7}, "members": ["gp", "effects"]}
    model["models"] = {"gp": -0.5, "trees": -0.9, "effects": -0.4}
    text = shown([trial(0, TrialState.QUEUED, proposal=Proposal("model", models={"capacity": model}))])
    told = re.findall(r"<td>capacity</td><td>([^<]+)</td><td>(-\d\.\d{3})</td><td>([a-z ]*)</td>", text)
    assert told == [
        ("Matérn kernel", "-0.500", "chosen"),
        ("Matérn kernel of warped parameters", "-0.700", ""),
        ("Gaussian process with an additive kernel", "-0.400", "used"),
        ("Gaussian process", "-0.500", "used"),
        ("extra trees", "-0.900", ""),
    ]


def test_a_store_of_models_without_health_tells_of_no_event() -> None:
    trials = [completed(i, 100.0 + i, proposal=predicted(98.0, 5.0)) for i in range(12)]
    text = shown(trials)
    assert "root-mean-square deviation" in text
    assert "recalibrated" not in text
    assert "hyper-parameters" in text


def test_a_model_whose_predictions_are_not_measured_yet_is_shown_too() -> None:
    text = shown([trial(0, TrialState.QUEUED, proposal=Proposal("model", models={"capacity": {"kind": "other"}}))])
    assert "Too few predictions" in text
    assert "hyper-parameters" not in text
