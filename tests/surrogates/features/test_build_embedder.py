"""Each kind of features in a campaign file has its embedder, with a name and a version of its own."""

import pytest
from pydantic import TypeAdapter

from campaigns.errors import ModelError
from campaigns.surrogate import FeaturesConfig
from surrogates.features.factory import build_embedder

CONFIG: TypeAdapter[FeaturesConfig] = TypeAdapter(FeaturesConfig)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("chgnet", "chgnet-0.3.0")] + [(kind, kind) for kind in ("composition", "sites", "physical", "valence")],
)
def test_built_in_features_need_no_settings(kind: str, name: str) -> None:
    embedder = build_embedder(CONFIG.validate_python({"kind": kind}))
    assert embedder.name == name
    assert embedder.version


def test_weights_of_chgnet_are_passed_on() -> None:
    assert build_embedder(CONFIG.validate_python({"kind": "chgnet", "weights": "r2scan"})).name == "chgnet-r2scan"


def test_a_model_that_cannot_be_had_is_refused() -> None:
    with pytest.raises(ModelError, match="nothing is downloaded here"):
        build_embedder(CONFIG.validate_python({"kind": "matgl", "model": "no-such-model"}))
