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
    sds = {f"{name} sd": (1.0,) * len(predicted) for name in ("predicted", "measured")}
    columns = {"trial": tuple(range(len(predicted))), "predicted": predicted, "measured": measured} | sds
    return InspectionCard(InspectionKind.CROSS_VALIDATION, SCORE, (), columns, {"r2": r2})


def test_parameters_are_named_by_how_much_they_matter() -> None:
    text = importance_sentence(importance(atmosphere=1.02, temperature=0.05, ramp_rate=0.01, time=0.0))
    assert text == (
        "Over the whole space, atmosphere matters most (100 % of the variance), "
        "then temperature (5 %); ramp_rate and time hardly matter."
    )
    assert (
        importance_sentence(importance(a=0.5, b=0.01))
        == "Over the whole space, a matters most (50 % of the variance); b hardly matters."
    )
    assert importance_sentence(importance(a=0.0, b=0.0)) == "No parameter is seen to matter."
    constant = importance(a=float("nan"), b=float("nan"))  # what Ax gives where an outcome does not vary
    assert importance_sentence(constant) == "No parameter is seen to matter."


@pytest.mark.parametrize(
    ("r2", "predicted", "said"),
    [
        (0.9, FALLING, "is good: it ranks and predicts candidates"),
        (0.78, FALLING, "is fair: it shows the trend and ranks candidates"),
        (0.15, FALLING, "is weak: it ranks candidates roughly"),
        (0.9, FALLING[::-1], "is good: it does not rank those that are alike"),
        (0.6, FALLING[::-1], "is fair: it shows the trend, but does not rank candidates"),
        (0.4, FALLING[::-1], "is weak: it does not rank candidates"),
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
    assert "is fair: it shows the trend and ranks candidates" in text
    assert "(R² 0.50, rank correlation 0.60, 8 measurements" in text


@pytest.mark.parametrize(("r2", "printed", "said"), [(0.0951, "0.10", "ranks candidates"), (-0.004, "0.00", "little")])
def test_the_verdict_on_r2_is_about_the_number_that_is_printed(r2: float, printed: str, said: str) -> None:
    text = quality_sentence(fit(r2, FALLING))
    assert f"(R² {printed}," in text
    assert said in text


def test_nothing_is_said_of_a_model_whose_measurements_are_all_alike() -> None:
    text = quality_sentence(fit(float("nan"), FALLING, (1.0,) * 5))
    assert text == "How good the model is cannot be judged: all 5 measurements are alike."


@pytest.mark.parametrize(("outside", "said"), [(1, ""), (3, "; its 95 % intervals contain 75 %: too narrow")])
def test_intervals_that_contain_too_little_are_called_too_narrow(outside: int, said: str) -> None:
    measured = tuple(float(place) for place in range(12))
    predicted = tuple(value + 9.0 * (value < outside) for value in measured)
    assert quality_sentence(fit(0.9, predicted, measured)).endswith(f"12 measurements){said}.")
