"""Features of the user's own are found by their path, checked, and never mixed in the cache."""

import textwrap
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from campaigns.errors import CampaignError, ModelError
from campaigns.surrogate import CustomFeaturesConfig
from campaigns.user_code.module_files import open_folder
from surrogates.features.embeddings import AnyEmbedder, embed
from surrogates.features.factory import build_embedder

MODULE = """
    import numpy as np
    from surrogates.features.embeddings import Embeddings

    class Powers:
        name, version = "powers", "1"

        def __init__(self, highest: int = 2):
            self.highest = highest

        def evaluate(self, structures):
            volumes = np.array([structure.volume for structure in structures])
            return Embeddings(None, volumes[:, None] ** np.arange(1, self.highest + 1))

    class Nameless(Powers):
        name = ""

    class Deaf:
        name, version = "deaf", "1"

    def local():
        class Inner(Powers):
            pass
        return Inner()

    class Broken(Powers):
        def evaluate(self, structures):
            raise RuntimeError("out of memory")

    class Ragged(Powers):
        def evaluate(self, structures):
            return Embeddings(None, [[1.0], [1.0, 2.0]])

    class Unmade(Powers):
        def __init__(self):
            raise FileNotFoundError("no weights.pt")

    number = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_features.py").write_text(textwrap.dedent(MODULE))
    open_folder(tmp_path)


def build(name: str, **settings: object) -> AnyEmbedder:
    return build_embedder(
        CustomFeaturesConfig(kind="custom", factory=f"own_features:{name}", settings=settings), "surrogate.features[1]"
    )


def cell() -> Structure:
    return Structure(Lattice.cubic(2.0), ["Fe"], [[0, 0, 0]])


@pytest.mark.usefixtures("own")
def test_settings_reach_the_class_and_keep_results_apart(tmp_path: Path) -> None:
    square, cube = build("Powers"), build("Powers", highest=3)
    assert square.version != cube.version
    np.testing.assert_allclose(embed([cell()], square, tmp_path).vectors, [[8, 64]])
    np.testing.assert_allclose(embed([cell()], cube, tmp_path).vectors, [[8, 64, 512]])


@pytest.mark.usefixtures("own")
def test_the_name_in_the_cache_tells_two_factories_apart() -> None:
    assert build("Powers").name == "own_features:Powers powers"


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Nothing", "own_features has no Nothing"),
        ("number", "own_features:number is 3, which is no code"),
        ("Nameless", "whose name is ''.*needed: name and version"),
        ("Deaf", "is a class without evaluate"),
        ("local", "cannot be sent to other processes"),
        ("Unmade", r"cannot be made with settings {}: FileNotFoundError: no weights.pt \(.*own_features.py:\d+\)"),
    ],
)
def test_what_is_no_embedder_is_refused_with_its_place_in_the_file(name: str, message: str) -> None:
    with pytest.raises(CampaignError, match=rf"surrogate.features\[1\]: .*{message}"):
        build(name)


@pytest.mark.usefixtures("own")
def test_settings_that_do_not_fit_are_refused_with_those_that_do() -> None:
    with pytest.raises(CampaignError, match=r"takes no setting 'lowest'; allowed settings: highest"):
        build("Powers", lowest=1)


def test_a_module_that_is_not_there_is_refused() -> None:
    config = CustomFeaturesConfig(kind="custom", factory="no_such_module:Powers")
    with pytest.raises(CampaignError, match="got 'no_such_module:Powers', but there is no module no_such_module"):
        build_embedder(config)


@pytest.mark.usefixtures("own")
def test_an_embedder_that_raises_is_told_with_its_own_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"own_features:Broken cannot embed Fe: RuntimeError: out .*features.py:\d+"):
        embed([cell()], build("Broken"), tmp_path)


@pytest.mark.usefixtures("own")
def test_vectors_of_different_lengths_do_not_keep_to_the_interface(tmp_path: Path) -> None:
    other = Structure(Lattice.cubic(3.0), ["Fe"], [[0, 0, 0]])
    with pytest.raises(ModelError, match="does not keep to its interface: got what numpy cannot read"):
        embed([cell(), other], build("Ragged"), tmp_path)
