"""What the report says of the models in plain sentences."""

import pytest

from loop.core.inspection_cards import SCORE, Column, InspectionCard, InspectionKind
from loop.report.inspection_text import importance_sentence, quality_sentence, rank_agreement

FALLING = (5.0, 4.0, 3.0, 2.0, 1.0)


def importance(**shares: float) -> InspectionCard:
    columns: dict[str, Column] = {
        "parameter": tuple(shares),
        "importance": tuple(shares.values()),
        "slope": (0.0,) * len(shares),
    }
    return InspectionCard(InspectionKind.IMPORTANCE, SCORE, tuple(shares), columns, {})


def fit(r2: float, predicted: tuple[float, ...], measured: tuple[float, ...] = FALLING) -> InspectionCard:
    columns = {"trial": tuple(range(len(predicted))), "predicted": predicted, "measured": measured}
    return InspectionCard(InspectionKind.CROSS_VALIDATION, SCORE, (), columns, {"r2": r2})


def test_parameters_are_named_by_how_much_they_matter() -> None:
    text = importance_sentence(importance(atmosphere=1.02, temperature=0.05, ramp_rate=0.01, time=0.0))
    assert text == (
        "atmosphere matters most (100 % of the variance), then temperature (5 %); ramp_rate and time hardly matter."
    )
    assert importance_sentence(importance(a=0.5, b=0.01)) == "a matters most (50 % of the variance); b hardly matters."
    assert importance_sentence(importance(a=0.0, b=0.0)) == "No parameter is seen to matter."
    constant = importance(a=float("nan"), b=float("nan"))  # what Ax gives where an outcome does not vary
    assert importance_sentence(constant) == "No parameter is seen to matter."


@pytest.mark.parametrize(
    ("r2", "predicted", "said"),
    [
        (0.9, FALLING, "predicts candidates well that it has not seen: good enough to rank them, and to read values"),
        (0.4, FALLING, "is good enough to rank candidates, but not to read exact values"),
        (0.9, FALLING[::-1], "tells good candidates from poor ones, but is not good enough to rank those that are"),
        (0.4, FALLING[::-1], "shows the trend, but is not good enough to rank candidates"),
        (0.05, FALLING, "is little better than the mean of the measurements: do not rely on its figures yet"),
        (-0.3, FALLING, "is no better than the mean of the measurements: do not rely on its figures yet"),
    ],
)
def test_a_model_is_judged_by_what_it_predicts_and_in_which_order(
    r2: float, predicted: tuple[float, ...], said: str
) -> None:
    text = quality_sentence(fit(r2, predicted))
    assert text.startswith(f"The model {said}")
    assert f"(R² {r2:.2f}, rank correlation {1 if predicted == FALLING else -1:.2f}, 5 measurements" in text


def test_the_verdict_on_the_order_is_about_the_number_that_is_printed() -> None:
    order = tuple(float(place) for place in range(8))
    card = fit(0.5, (0.0, 1.0, 2.0, 5.0, 7.0, 6.0, 4.0, 3.0), order)
    assert rank_agreement(card) == pytest.approx(0.5952, abs=1e-4)
    text = quality_sentence(card)
    assert "good enough to rank candidates, but not to read" in text
    assert "(R² 0.50, rank correlation 0.60, 8 measurements" in text


@pytest.mark.parametrize(("r2", "printed", "said"), [(0.0951, "0.10", "rank candidates"), (-0.004, "0.00", "little")])
def test_the_verdict_on_r2_is_about_the_number_that_is_printed(r2: float, printed: str, said: str) -> None:
    text = quality_sentence(fit(r2, FALLING))
    assert f"(R² {printed}," in text
    assert said in text


def test_nothing_is_said_of_a_model_whose_measurements_are_all_alike() -> None:
    text = quality_sentence(fit(float("nan"), FALLING, (1.0,) * 5))
    assert text == "How good the model is cannot be judged: all 5 measurements are alike."
