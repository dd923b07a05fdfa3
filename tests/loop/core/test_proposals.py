"""Who proposed a candidate."""

from __future__ import annotations

import pytest

from loop.core.proposals import AGAIN, IMPORTED, MODEL, OPERATOR, STRATEGY, Proposal


@pytest.mark.parametrize("generator", [MODEL, AGAIN])
def test_a_new_candidate_and_one_measured_again_are_a_models_choice(generator: str) -> None:
    assert Proposal(generator).modelled


@pytest.mark.parametrize("generator", [OPERATOR, IMPORTED, STRATEGY, "space-filling", "sources"])
def test_nothing_else_is_a_models_choice(generator: str) -> None:
    assert not Proposal(generator).modelled


def test_the_origin_names_a_fidelity_unless_it_is_the_full_one() -> None:
    assert Proposal(MODEL).origin == "model"
    assert Proposal(MODEL, fidelity="quick").origin == "model, quick"
