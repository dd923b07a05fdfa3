"""Trials of which some metrics are known, and others are not: what is known is learnt."""

from typing import Any

import pytest

from campaigns.campaign import Campaign
from campaigns.decisions import ReleaseTrial
from campaigns.relative_paths import PARENT
from campaigns.values import Cause, TrialState
from loop.core.candidate_results import best
from loop.core.events import Warned
from loop.core.trial_selection import completed, learnable
from loop.planning.planner import Planner
from loop.service.journal_editor import open_journal_editor, settle
from loop.storage.external_measurements import read_history
from loop.storage.reader import Reader
from surrogates.models.encoder import Encoder
from tests.loop.conftest import Bench, troubled

pytestmark = pytest.mark.slow


def forming(**changes: Any) -> dict[str, Any]:
    """A campaign for much of what is pure, where nothing forms in a quarter of the space."""
    data = troubled("Forming", seed=2, budget={"trials": 24})
    data["metrics"] = {name: {"kind": "measured", "unit": "1"} for name in ("amount", "purity")}
    terms = [{"goal": "maximise", "metric": name, "scale": 0.1} for name in data["metrics"]]
    (step,) = data["workflow"]
    step |= {"analysis": "tests.loop.bench_analyses:amount_and_purity", "gives": list(data["metrics"])}
    return data | {"objective": {"terms": terms}, "workflow": [step]} | changes


def two_steps(device: str) -> dict[str, Any]:
    """A campaign whose samples are measured twice; the second bench is the troubled one."""
    data = troubled("Bench", budget={"trials": 9})
    (step,) = data["workflow"]
    second = step | {
        "name": "look",
        "stations": ["eye"],
        "analysis": "tests.loop.bench_analyses:last",
        "gives": ["colour"],
    }
    data["stations"]["eye"] = {"kind": "device", "device": f"tests.loop.troubled:{device}"}
    data["metrics"]["colour"] = {"kind": "measured", "unit": "1"}
    data["objective"]["terms"].append({"goal": "maximise", "metric": "colour", "scale": 0.1})
    return data | {"workflow": [step, second]}


@pytest.fixture(scope="module")
def formed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Any]:
    bench = Bench(tmp_path_factory.mktemp("formed"))
    return bench, bench.run(forming())


def test_where_a_metric_cannot_be_had_the_campaign_does_not_return(formed: tuple[Bench, Any]) -> None:
    _, outcome = formed
    failed = [t for t in outcome.trials if t.state is TrialState.FAILED]
    assert len(failed) <= 8
    assert {t.cause for t in failed} == {Cause.SAMPLE}
    assert {t.missing for t in failed} == {("purity",)}
    assert all("purity has no value for this sample: the analysis gave nan" in t.reason for t in failed)
    found = best(outcome.found)
    assert found is not None
    assert (found.score or 0.0) > 6.9  # 7.15 are possible


def test_an_analysis_can_say_that_a_sample_gives_no_value(bench: Bench) -> None:
    data = troubled("Bench", budget={"trials": 12})
    data["workflow"][0]["analysis"] = "tests.loop.bench_analyses:shattered"
    outcome = bench.run(data)  # three in a row are no fault of the analysis, and end nothing
    failed = [t for t in outcome.trials if t.state is TrialState.FAILED]
    assert len(failed) > 3
    assert {t.cause for t in failed} == {Cause.SAMPLE}
    why = "height has no value for this sample: the analysis gave no value: the pellet has fallen to pieces"
    assert {t.reason for t in failed} == {f"make: {why}"}


def test_the_metrics_that_are_known_are_learnt(formed: tuple[Bench, Any]) -> None:
    _, outcome = formed
    failed = next(t for t in outcome.trials if t.state is TrialState.FAILED)
    assert failed.metrics["amount"].value == 0.0
    assert failed.score is None
    models = outcome.trials[-1].proposal.models
    assert failed.number in outcome.trials[-1].proposal.learnt_from
    before = [t for t in outcome.trials if t.number in outcome.trials[-1].proposal.learnt_from]
    assert models["amount"]["observations"] == len(learnable(before)) == len(before)
    assert models["purity"]["observations"] == len(completed(before)) < len(before)


def test_the_planner_rebuilt_from_the_store_proposes_the_same(formed: tuple[Bench, Any]) -> None:
    bench, _ = formed
    campaign, trials = Campaign(**forming()), Reader(bench.url).trials()
    told, rebuilt = (Planner(campaign, Encoder(campaign.space)) for _ in range(2))
    for trial in trials:
        told.take(trial.candidate, "asked for")
    for trial in sorted(trials, key=lambda t: t.completed_order or 0):
        told.ingest(trial)
    rebuilt.recall(trials)
    rebuilt.relearn(trials)
    assert rebuilt.suggest() == told.suggest()


def test_a_metric_that_neither_score_nor_constraint_needs_costs_no_more_than_itself(bench: Bench) -> None:
    terms = [{"goal": "maximise", "metric": "amount", "scale": 0.1}]
    data = forming(objective={"terms": terms}, budget={"trials": 9})
    data["metrics"]["yielded"] = {"kind": "derived", "unit": "1", "formula": "amount * purity"}
    outcome = bench.run(data)
    assert {t.state for t in outcome.trials} == {TrialState.COMPLETED}
    without = [t for t in outcome.trials if "purity" not in t.metrics]
    assert without
    assert {t.missing for t in without} == {("purity",)}
    assert {t.proposal.success for t in outcome.trials if t.proposal.modelled} == {1.0}


@pytest.mark.parametrize(
    "objective",
    [
        {"terms": [{"goal": "maximise", "metric": name, "scale": 0.1} for name in ("amount", "purity")],
         "find": {"kind": "pareto"}},
        {"terms": [{"goal": "maximise", "metric": "amount", "scale": 0.1}],
         "constraints": [{"metric": "purity", "at_least": 0.55}]},
        {"terms": [{"goal": "maximise", "metric": "yielded", "scale": 0.1}]},
    ],
    ids=["front", "constraint", "derived"],
)  # fmt: skip
def test_fronts_constraints_and_derived_metrics_do_without_what_is_missing(bench: Bench, objective: Any) -> None:
    data = forming(objective=objective, budget={"trials": 12})
    data["metrics"]["yielded"] = {"kind": "derived", "unit": "1", "formula": "amount * purity"}
    outcome = bench.run(data)
    failed = [t for t in outcome.trials if t.state is TrialState.FAILED]
    assert failed
    assert all(set(t.metrics) == {"amount"} for t in failed)
    assert best(outcome.found) is not None
    assert any(t.proposal.modelled for t in outcome.trials)


@pytest.mark.parametrize(("device", "cause"), [("Tearing", Cause.SAMPLE), ("Silent", Cause.LAB)])
def test_what_a_step_has_measured_is_learnt_though_a_later_one_fails(bench: Bench, device: str, cause: Cause) -> None:
    outcome = bench.run(two_steps(device))
    failed = [t for t in outcome.trials if t.state is TrialState.FAILED]
    assert failed
    assert {t.cause for t in failed} == {cause}
    assert all(set(t.metrics) == {"height"} for t in failed)
    assert {t.number for t in failed} <= set(outcome.trials[-1].proposal.learnt_from)
    assert (outcome.trials[-1].proposal.success == 1.0) == (cause is Cause.LAB)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"plausible": "-2 to 2"}, "is implausible; the campaign file says -2 to 2"),
        ({"within": [-2, 2]}, "is impossible; the campaign file says that all are in -2 to 2"),
    ],
)
def test_a_wild_scale_goes_into_quarantine_until_it_is_released(
    bench: Bench, limits: dict[str, Any], words: str
) -> None:
    data = troubled("Wild")
    data["metrics"]["height"] |= limits
    outcome = bench.run(data)
    wild = outcome.trials[3]
    assert (wild.state, wild.cause, wild.metrics) == (TrialState.QUARANTINED, Cause.DATA, {})
    assert words in wild.reason
    assert 3 not in outcome.trials[-1].proposal.learnt_from
    found = best(outcome.found)
    assert found is not None
    assert found.number != 3
    settle(open_journal_editor(None, bench.url, "it is true"), ReleaseTrial(trial=3))
    assert bench.run(data | {"budget": {"trials": 9}}).trials[3].values["height"] > 2.0


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"plausible": [-2, 2]}, "height 500 is implausible; the campaign file says -2 to 2"),
        ({"within": [-2, 2]}, "height 500 is impossible; the campaign file says that all are in -2 to 2"),
    ],
)
def test_an_implausible_row_of_a_table_is_named_and_left_out(bench: Bench, limits: dict[str, Any], words: str) -> None:
    data = troubled("Bench", history=[{"kind": "table", "name": "before", "file": "before.csv"}])
    data["metrics"]["height"] |= limits
    (bench.folder / "before.csv").write_text("x,y,height\n0.1,0.2,0.5\n0.3,0.4,500\n0.5,0.6,0.7\n")
    (found,) = read_history(Campaign.model_validate(data, context={PARENT: bench.folder}))
    assert [row.measured["height"].value for row in found.rows] == [0.5, 0.7]
    assert any(words in line for line in found.text)


def test_a_metric_that_no_sample_has_is_told_once(bench: Bench) -> None:
    data = forming(budget={"trials": 5})
    data["workflow"][0]["analysis"] = "tests.loop.bench_analyses:amount_alone"
    outcome = bench.run(data)
    assert {t.missing for t in outcome.trials} == {("purity",)}
    told = [event.text for event in bench.events if isinstance(event, Warned)]
    assert [text.split(";")[0] for text in told] == ["purity has had no value for any sample so far"]
