"""Where samples pile up, told before a campaign begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loop.validation.sample_notes import sample_notes
from tests.loop.sampled import loaded, sampled


@pytest.mark.parametrize(
    ("use", "noted"),
    [
        ({"at": "holder"}, True),
        ({"at": "holder", "moves_to": "tray"}, True),
        ({"at": "holder", "moves_to": "shelf"}, False),
        ({"at": "holder", "consumes": "all"}, False),
        ({}, False),
    ],
)
def test_a_place_that_fills_up_is_noted(use: dict[str, Any], noted: bool, tmp_path: Path) -> None:
    assert bool(list(sample_notes(loaded(sampled(tmp_path, use), tmp_path)))) == noted
