"""What a person is asked for, and what is taken as an answer."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from campaigns.lab.manual_steps import Ask, AskConfig, unknown_fields

ASK: TypeAdapter[AskConfig] = TypeAdapter(Ask)


@pytest.mark.parametrize(
    ("ask", "given", "read"),
    [
        ("mg", "0.0124 g", 12.4),
        ("mg", "12.4", 12.4),
        (1, "3", 3.0),
        ({"unit": "degC", "limits": "[270 K, 300 K]"}, "20 degC", 20.0),
        ("text", " A 17 ", "A 17"),
        ({"choices": ["left", "right"]}, "left", "left"),
    ],
)
def test_an_answer_is_read_in_the_unit_that_is_asked_for(ask: Any, given: str, read: float | str) -> None:
    assert ASK.validate_python(ask).read(given) == (pytest.approx(read) if isinstance(read, float) else read)


@pytest.mark.parametrize(
    ("ask", "given"),
    [
        ("mg", "nan"),
        ("mg", "inf"),
        ("mg", math.nan),
        ("mg", "12 mL"),
        ("mg", "much"),
        ({"unit": "mg", "limits": [0, 10]}, "11"),
        ("text", "  "),
        ({"choices": ["left", "right"]}, "middle"),
    ],
)
def test_what_is_no_answer_is_refused_with_what_is_taken(ask: Any, given: str | float) -> None:
    with pytest.raises(ValueError, match=r"allowed|unit|got"):
        ASK.validate_python(ask).read(given)


@pytest.mark.parametrize(
    "ask",
    [
        {"unit": "mg", "choices": ["left"]},
        {"limits": [0, 1]},
        {"unit": "mg", "limits": [1, 0]},
        {"unit": "mg", "simulated": "3 mL"},
        {"choices": ["left"], "simulated": "right"},
        "no unit at all",
    ],
)
def test_an_ask_that_nothing_could_answer_is_refused(ask: Any) -> None:
    with pytest.raises(ValidationError):
        ASK.validate_python(ask)


def test_instructions_may_name_settings_and_nothing_else() -> None:
    assert list(unknown_fields("Weigh {dose} of {sample}: {settings}, {material}", ["dose"])) == []
    assert list(unknown_fields("Weigh {dos} {dose:g} {dose!r}", ["dose"])) == ["dos", "dose", "dose"]
