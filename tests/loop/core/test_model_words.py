"""Words for what the store keeps of models."""

import pytest

from loop.core.model_words import KERNELS, MODELS, column_names, compared_name, hyper_parameter_name
from surrogates.models.ensemble import EFFECTS, GP, TREES
from surrogates.models.kernel_spec import KernelSpec
from surrogates.models.model_selection import GAUSSIAN, MATERN, WARPED

GAS = column_names("gas", ("air", "argon"), ())
COLUMNS = [*column_names("time", (), ()), *GAS, *column_names("salt", "ab", ["pH"])]


def test_columns_are_named_after_the_parameters_that_they_are_of() -> None:
    assert COLUMNS == ["time", "gas=air", "gas=argon", "salt pH"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("length.0", "length scale time"),
        ("length.2", "length scale gas=argon"),
        ("low.3", "warp at the low end of salt pH"),
        ("length.chgnet", "length scale chgnet"),
        ("length.9", "length scale 9"),
    ],
)
def test_a_hyper_parameter_is_named_by_its_kind_and_column(name: str, words: str) -> None:
    assert hyper_parameter_name(name, COLUMNS) == words


def test_there_are_words_for_all_that_models_keep() -> None:
    specs = [KernelSpec(("sites",), 4, effects=effects, warped=(0,)) for effects in (False, True)]
    for name in ["noise", *(name for spec in specs for name in spec.names)]:
        assert hyper_parameter_name(name, COLUMNS).split()[0] in ("length", "variance", "warp", "noise"), name
    assert set(KERNELS) == {MATERN, GAUSSIAN, WARPED}
    assert {GP, TREES, EFFECTS} <= set(MODELS)
    assert compared_name(WARPED) == "Matérn kernel of warped parameters"
    assert compared_name("sites") == "sites"
