import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.constraints import linear_constraint
from campaigns.expressions import Product
from tests.strategies import numbers


@pytest.mark.parametrize(
    "text",
    [
        "a + b",
        "f(a)",
        "a.b",
        "a[0]",
        "-a",
        "",
        "a *",
        "2",
        "a ** b",
        "a ** 99",
        "a / 0",
        "a if b else c",
        "a\x00",
        "'a'",
    ],
)
def test_a_formula_is_a_product_of_powers_and_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match="got"):
        Product(text)


@given(numbers(1, 100), numbers(1, 100))
def test_a_formula_is_evaluated_as_python_would(a: float, b: float) -> None:
    assert Product("3 * a ** 2 / b")({"a": a, "b": b}) == pytest.approx(3 * a**2 / b)


@given(st.lists(numbers(-10, 10), min_size=4, max_size=4))
def test_a_constraint_is_what_its_text_says(values: list[float]) -> None:
    x, y, a, b = values
    at = {"x": x, "y": y}
    upper = linear_constraint(f"2 * x - (y / 4) + {a} <= {b} + y")
    assert upper.slack(at) == pytest.approx(b + y - (2 * x - y / 4 + a))
    lower = linear_constraint(f"2 * x - (y / 4) + {a} >= {b} + y")
    assert lower.slack(at) == pytest.approx(-upper.slack(at))


@pytest.mark.parametrize(
    "text", ["x * y <= 3", "x < 3", "1 <= x <= 3", "x", "x ** 2 <= 3", "3 <= 4", "x - x <= 1", "x / 0 <= 1"]
)
def test_what_is_not_linear_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="got"):
        linear_constraint(text)
