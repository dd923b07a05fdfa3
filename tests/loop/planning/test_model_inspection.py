"""What the models say of a space, as Ax computes it, held against what is known of it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from campaigns.values import Scalar
from loop.core.inspection_cards import SCORE, InspectionCard, InspectionKind, ModelInspection
from loop.planning.model_inspection import inspect_models
from loop.planning.planner import Planner
from surrogates.models.encoder import Encoder, MaterialTable
from tests.planned import Lab, campaign

pytestmark = pytest.mark.slow  # each fits models many times


def silent(_doing: str, _done: int, _total: int) -> None:
    """Show nothing."""


def asked(lab: Lab) -> ModelInspection:
    return inspect_models(lab.planner.models, lab.trials, silent)


def cards(said: ModelInspection, kind: InspectionKind, outcome: str) -> list[InspectionCard]:
    return [card for card in said.cards if card.kind is kind and card.outcome == outcome]


def importance(said: ModelInspection, outcome: str) -> dict[Any, Any]:
    (card,) = cards(said, InspectionKind.IMPORTANCE, outcome)
    return dict(zip(card.columns["parameter"], card.columns["importance"], strict=True))


def crossed(parameters: Mapping[str, Scalar], _number: int) -> float:
    """Two numbers that act together, and one that does nothing: its Sobol indices are known in closed form."""
    x, y = float(parameters["x0"]), float(parameters["x1"])
    return 3.0 * x - 2.0 * y + 6.0 * (x - 0.5) * (y - 0.5)


def filling(dimensions: int, count: int, answer: Any, **changes: Any) -> Lab:
    lab = Lab(campaign(dimensions, planner={"initial": count}, **changes), answer, sd=0.01)
    lab.run(count)
    return lab


@pytest.fixture(scope="module")
def plane() -> tuple[Lab, ModelInspection]:
    lab = filling(3, 24, crossed)
    return lab, asked(lab)


def test_importance_is_the_total_sobol_index(plane: tuple[Lab, ModelInspection]) -> None:
    found = importance(plane[1], "merit")
    alone, together = {"x0": 9 / 12, "x1": 4 / 12, "x2": 0.0}, 36 / 144
    whole = sum(alone.values()) + together
    expected = {name: (own + together * (name != "x2")) / whole for name, own in alone.items()}
    assert found == {name: pytest.approx(share, abs=0.05) for name, share in expected.items()}


def test_importance_has_the_direction_of_the_average_slope(plane: tuple[Lab, ModelInspection]) -> None:
    (card,) = cards(plane[1], InspectionKind.IMPORTANCE, SCORE)
    slopes = dict(zip(card.columns["parameter"], card.columns["slope"], strict=True))
    assert (slopes["x0"], slopes["x1"]) == (1.0, -1.0)
    assert card.parameters[:2] == ("x0", "x1"), "the most important first"


def test_slices_hold_the_settings_of_the_best_candidate(plane: tuple[Lab, ModelInspection]) -> None:
    lab, said = plane
    assert said.reference is not None
    held = lab.trials[said.reference].candidate.parameters
    card = next(card for card in cards(said, InspectionKind.SLICE, "merit") if card.parameters == ("x0",))
    for x, mean, sd in zip(card.columns["x0"], card.columns["mean"], card.columns["sd"], strict=True):
        truth = crossed({**held, "x0": x}, 0)
        assert abs(float(mean) - truth) < 4.0 * float(sd) + 0.1
    (contour,) = cards(said, InspectionKind.CONTOUR, "merit")
    assert contour.parameters == ("x0", "x1")


def test_the_same_trials_give_the_same_numbers(plane: tuple[Lab, ModelInspection]) -> None:
    lab, said = plane
    assert asked(lab) == said


def test_predictions_of_what_is_left_out_are_those_of_our_own_models() -> None:
    lab = filling(2, 9, crossed)
    (card,) = cards(asked(lab), InspectionKind.CROSS_VALIDATION, "merit")
    assert card.columns["trial"] == tuple(range(9))
    for trial, predicted, sd in zip(lab.trials, card.columns["predicted"], card.columns["predicted sd"], strict=True):
        posterior = lab.planner.models.without([trial.candidate.key()])
        assert len(posterior.rows) == 8
        mean, spread = posterior.models["merit"].marginals(posterior.problem.encoder.encode([trial.candidate]))
        assert (predicted, sd) == (pytest.approx(float(mean), rel=1e-4), pytest.approx(float(spread), rel=1e-4))


def test_readings_of_one_candidate_are_left_out_together() -> None:
    lab = filling(2, 5, crossed)
    number, candidate, proposal = lab.planner.take(lab.trials[2].candidate, "again")
    lab.trials.append(lab._ended(number, candidate, proposal))
    lab.planner.ingest(lab.trials[-1])
    (card,) = cards(asked(lab), InspectionKind.CROSS_VALIDATION, "merit")
    again = [p for trial, p in zip(card.columns["trial"], card.columns["predicted"], strict=True) if trial == 2]
    assert len(again) == 2
    assert again[0] == again[1]


MIXED = {
    "parameters": {
        "x0": {"kind": "float", "unit": "h", "low": 1, "high": 100, "scale": "log"},
        "x1": {"kind": "categorical", "levels": ["air", "argon", "oxygen"]},
        "x2": {"kind": "integer", "unit": "percent", "low": 0, "high": 4},
        "x3": {"kind": "ordinal", "unit": "degC/min", "levels": [1, 2, 5]},
    },
    "constraints": ["x0 + 60 * x2 <= 130"],
}


def kinds(parameters: Mapping[str, Scalar], _number: int) -> float:
    hours, whole = math.log10(float(parameters["x0"])), float(parameters["x2"])
    return hours + 3.0 * (parameters["x1"] == "argon") - 0.2 * whole


def test_every_kind_of_parameter_is_asked_for_as_far_as_it_has_an_order() -> None:
    said = asked(filling(4, 16, kinds, space=MIXED))
    (card,) = cards(said, InspectionKind.IMPORTANCE, "merit")
    slopes = dict(zip(card.columns["parameter"], card.columns["slope"], strict=True))
    assert card.parameters[0] == "x1"
    assert (slopes["x0"], slopes["x1"], slopes["x2"]) == (1.0, 0.0, -1.0)
    assert any(text.startswith("constraints between parameters") for text in said.left_out)
    slices = {card.parameters[0]: card for card in cards(said, InspectionKind.SLICE, "merit")}
    assert set(slices) == {"x0", "x2", "x3"}
    assert slices["x2"].columns["x2"] == (0, 1, 2, 3, 4)
    assert slices["x3"].columns["x3"] == (1.0, 2.0, 5.0)
    assert slices["x2"].columns["allowed"][-1] is False, "no hour is left"


def test_each_level_of_a_choice_is_predicted_with_the_rest_as_in_the_best_candidate() -> None:
    lab = filling(4, 16, kinds, space=MIXED)
    said = asked(lab)
    assert said.reference is not None
    held = lab.trials[said.reference].candidate.parameters
    (card,) = cards(said, InspectionKind.LEVELS, "merit")
    assert card.columns["x1"] == ("air", "argon", "oxygen")
    for level, mean, sd in zip(*(card.columns[name] for name in ("x1", "mean", "sd")), strict=True):
        assert abs(float(mean) - kinds({**held, "x1": level}, 0)) < 4.0 * float(sd) + 0.1
    levels = [trial.candidate.parameters["x1"] for trial in lab.trials]
    assert card.columns["measured"] == tuple(levels.count(level) for level in ("air", "argon", "oxygen"))


def test_shares_of_a_mixture_are_asked_for_within_its_total() -> None:
    space: dict[str, Any] = {"mixtures": {"melt": {"components": {"x0": {}, "x1": {}, "x2": {}}}}}
    said = asked(filling(3, 10, lambda p, _: 2.0 * float(p["x0"]) + float(p["x1"]), space=space))
    card = next(card for card in cards(said, InspectionKind.SLICE, "merit") if card.parameters == ("x0",))
    assert all(card.columns["allowed"])
    assert float(card.columns["mean"][-1]) == pytest.approx(2.0, abs=0.4), "x0 alone"


def test_a_slice_along_which_nothing_else_is_allowed_is_left_out() -> None:
    components = {f"x{i}": {"high": 0.9} for i in range(3)}
    space = {"mixtures": {"melt": {"components": components, "at_most": 2}}}
    said = asked(filling(3, 8, lambda p, _: float(p["x0"]) + 0.5 * float(p["x1"]), space=space))
    sliced = {card.parameters[0] for card in cards(said, InspectionKind.SLICE, "merit")}
    (absent,) = {"x0", "x1", "x2"} - sliced
    assert any(text.startswith(f"slice of merit along {absent}: ") for text in said.left_out)


def test_before_there_is_a_model_nothing_is_asked() -> None:
    said = asked(filling(2, 2, crossed))
    assert said.missing == "there is no model before 3 trials are completed; 2 are"
    assert not said.cards


def test_a_single_parameter_is_all_there_is_and_two_candidates_are_enough_to_leave_one_out() -> None:
    said = asked(filling(1, 4, lambda p, _: float(p["x0"])))
    assert not cards(said, InspectionKind.IMPORTANCE, SCORE)
    assert len(cards(said, InspectionKind.SLICE, SCORE)) == 1


class Shelf(Lab):
    """A laboratory with a pool of materials and an oven."""

    def __post_init__(self) -> None:
        numbers = np.linspace(0.0, 1.0, 12)
        table = MaterialTable(
            tuple(f"m{i}" for i in range(12)), {"composition": np.stack([numbers, numbers**2], axis=1)}, {}
        )
        self.planner = Planner(self.campaign, Encoder(self.campaign.space, table))


def test_of_a_pool_the_choice_of_the_material_is_weighed_against_the_settings() -> None:
    numbers = {"x0": {"kind": "float", "unit": "1", "low": 0, "high": 1}}
    space = {"parameters": numbers, "pool": {"kind": "generator", "function": "tests.pools:perovskites"}}
    surrogate = {"features": [{"kind": "composition"}]}
    plan = campaign(1, planner={"initial": 20}, space=space, surrogate=surrogate)
    lab = Shelf(plan, lambda _, __: "not asked yet", sd=0.01)
    for _ in range(20):
        number, candidate, proposal = lab.planner.suggest()
        worth = 3.0 * int(str(candidate.material)[1:]) / 11.0
        lab.answer = lambda p, _, worth=worth: worth + float(p["x0"])  # type: ignore[misc]
        lab.trials.append(lab._ended(number, candidate, proposal))
        lab.planner.ingest(lab.trials[-1])
    said = asked(lab)
    (card,) = cards(said, InspectionKind.IMPORTANCE, "merit")
    assert card.parameters == ("material", "x0")
    assert card.columns["slope"] == (0.0, 1.0)
    shares = importance(said, "merit")
    assert shares["material"] == pytest.approx(0.9, abs=0.1)
    assert shares["x0"] == pytest.approx(0.1, abs=0.1)
    assert {card.parameters for card in cards(said, InspectionKind.SLICE, "merit")} == {("x0",)}
    assert any("material" in text for text in said.left_out)


def test_of_a_front_the_metrics_are_asked_for_and_what_terms_are_derived_from() -> None:
    metrics = {
        "merit": {"kind": "measured", "unit": "1"},
        "double": {"kind": "derived", "unit": "1", "formula": "merit * merit"},
    }
    terms = [
        {"goal": "maximise", "metric": "merit", "scale": 1.0},
        {"goal": "minimise", "metric": "double", "scale": 1.0},
    ]
    lab = filling(2, 8, crossed, metrics=metrics, objective={"terms": terms, "find": {"kind": "pareto"}})
    said = asked(lab)
    assert {card.outcome for card in said.cards} == {"double", "merit"}
    assert said.reference is not None


def test_the_probability_of_keeping_the_outcome_constraints_stands_beside_each_point() -> None:
    objective = {
        "terms": [{"goal": "maximise", "metric": "merit", "scale": 1.0}],
        "constraints": [{"metric": "merit", "at_most": 1.0}],
    }
    lab = filling(3, 24, crossed, objective=objective)
    said = asked(lab)
    assert said.reference is not None
    held = lab.trials[said.reference].candidate.parameters
    card = next(card for card in cards(said, InspectionKind.SLICE, SCORE) if card.parameters == ("x0",))
    pairs = [(float(x), float(p)) for x, p in zip(card.columns["x0"], card.columns["feasible"], strict=True)]
    truth = [(crossed({**held, "x0": x}, 0), chance) for x, chance in pairs]
    assert all(chance > 0.9 for merit, chance in truth if merit < 0.8)
    assert all(chance < 0.1 for merit, chance in truth if merit > 1.2)
    assert {merit < 0.8 for merit, _ in truth} == {True, False}, "both are looked at"
    (contour,) = cards(said, InspectionKind.CONTOUR, SCORE)
    chances = [float(chance) for chance in contour.columns["feasible"]]
    assert min(chances) < 0.1 < 0.9 < max(chances)
    assert any(text.startswith("outcome constraints: importance") for text in said.left_out)


def test_without_outcome_constraints_there_is_no_such_probability(plane: tuple[Lab, ModelInspection]) -> None:
    assert not any("feasible" in card.columns for card in plane[1].cards)
