"""Answers of the models travel as plain numbers: to another process, and to whoever draws them."""

from __future__ import annotations

import pickle
import subprocess
import sys

from loop.core.inspection_cards import SCORE, InspectionCard, InspectionKind, ModelInspection
from loop.report.inspection_section import inspection_parts
from tests.trials import campaign

CARD = InspectionCard(
    InspectionKind.IMPORTANCE,
    SCORE,
    ("temperature",),
    {"parameter": ("temperature",), "importance": (0.9,), "slope": (0.1,)},
    {},
)


def test_an_inspection_is_the_same_in_another_process() -> None:
    one = ModelInspection((CARD,), reference=3, left_out=("atmosphere: one level",))
    assert pickle.loads(pickle.dumps(one)) == one


def test_kinds_are_their_words_so_that_tables_of_them_can_be_read() -> None:
    assert [f"{kind}" for kind in InspectionKind] == ["importance", "slice", "levels", "contour", "cross-validation"]


def test_numbers_of_the_models_are_read_without_the_models() -> None:
    code = "import sys, loop.core.inspection_cards; print([n for n in ('torch', 'ax', 'plotly') if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_without_answers_the_reason_is_shown_in_their_place() -> None:
    assert any("no trial" in part for part in inspection_parts(campaign(), [], ModelInspection(missing="no trial")))
