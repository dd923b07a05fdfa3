"""Saved matgl models embed structures; what is not on this machine is refused at once."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import matgl
import numpy as np
import pytest
import torch
from matgl.apps.pes import Potential
from matgl.models import QET, CHGNet, M3GNet, MEGNet, TensorNet
from pymatgen.core import Lattice, Structure

from campaigns.errors import ModelError
from surrogates.features.embeddings import embed
from surrogates.features.matgl_model import MatglModel
from tests.space_groups import crystal_of

ELEMENTS = ("Li", "O", "Co")


def layered() -> Structure:
    sites = [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.26]]
    return crystal_of("R-3m", Lattice.hexagonal(2.816, 14.05), ["Li", "Co", "O"], sites)


def megnet(seed: int = 0) -> MEGNet:
    torch.manual_seed(seed)
    return MEGNet(element_types=ELEMENTS, cutoff=4.0)


def saved(model: Any, folder: Path) -> str:
    model.eval().save(folder)
    return str(folder)


def test_a_property_model_gives_its_property_and_its_readout(tmp_path: Path) -> None:
    model = megnet()
    result = MatglModel(saved(model, tmp_path / "m")).evaluate([layered()])
    assert result.energy[0] == pytest.approx(float(model.predict_structure(layered())), abs=1e-6)
    np.testing.assert_allclose(result.vectors[0], model.feature_dict["readout"][0].detach().numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "options"), [(M3GNet, {"is_intensive": False}), (TensorNet, {"is_intensive": False}), (CHGNet, {})]
)
def test_a_potential_gives_energy_per_atom_and_a_vector_that_do_not_depend_on_the_cell(
    tmp_path: Path, kind: Callable[..., Any], options: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    potential = Potential(kind(element_types=ELEMENTS, **options), element_refs=[1.0, 2.0, 3.0])
    model = MatglModel(saved(potential, tmp_path / "m"))
    whole, primitive = layered(), layered().get_primitive_structure()
    result = model.evaluate([whole, primitive])
    total = float(potential(*graph(potential.model, whole))[0].detach())
    assert result.energy[0] == pytest.approx(total / len(whole), abs=1e-5)
    assert result.energy[1] == pytest.approx(result.energy[0], abs=1e-5)
    np.testing.assert_allclose(result.vectors[0], result.vectors[1], atol=1e-5)
    assert result.vectors.shape == (2, 64)


def graph(network: Any, structure: Structure) -> tuple[Any, Any, torch.Tensor]:
    converter = matgl.ext.pymatgen.Structure2Graph(element_types=network.element_types, cutoff=network.cutoff)
    data, lattice, state = converter.get_graph(structure)
    return data, lattice, torch.tensor(state)


def test_results_are_cached_by_the_weights_and_not_by_the_name(tmp_path: Path) -> None:
    first = MatglModel(saved(megnet(0), tmp_path / "a"))
    copy = MatglModel(saved(megnet(0), tmp_path / "b"))
    other = MatglModel(saved(megnet(1), tmp_path / "c"))
    assert first.version == copy.version != other.version
    one, two = (embed([layered()], model, tmp_path / "cache") for model in (first, other))
    assert one.energy[0] != two.energy[0]


def test_a_model_saved_over_another_is_another(tmp_path: Path) -> None:
    model = MatglModel(saved(megnet(0), tmp_path / "m"))
    before = model.evaluate([layered()]).energy[0]
    saved(megnet(1), tmp_path / "m")
    assert model.evaluate([layered()]).energy[0] != before


@pytest.mark.parametrize("name", ["MEGNet-MP-2018.6.1-Eform", "someone/some-model", "/no/such/folder", "./none"])
def test_what_is_not_here_is_refused_without_touching_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("socket.socket", None)
    with pytest.raises(ModelError, match="nothing is downloaded here: on a machine with network, run"):
        MatglModel(name)


def test_a_published_name_in_the_cache_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    repository = tmp_path / ".cache" / "matgl" / "models--materialyze--MEGNet-Test"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    saved(megnet(), repository / "snapshots" / "abc")
    result = MatglModel("MEGNet-Test").evaluate([layered()])
    assert result.energy[0] == pytest.approx(float(megnet().eval().predict_structure(layered())), abs=1e-6)


def test_an_element_that_the_model_lacks_is_named(tmp_path: Path) -> None:
    model = MatglModel(saved(megnet(), tmp_path / "m"))
    with pytest.raises(ModelError, match="knows no Ni"):
        model.evaluate([layered().replace_species({"Co": "Ni"})])


def test_a_model_that_the_check_of_files_refuses_is_refused(tmp_path: Path) -> None:
    folder = saved(QET(element_types=ELEMENTS), tmp_path / "m")
    with pytest.raises(ModelError, match="holds a QET; allowed: MEGNet, M3GNet, TensorNet, CHGNet"):
        MatglModel(folder)


def test_weights_that_do_not_fit_their_description_are_refused(tmp_path: Path) -> None:
    folder = saved(megnet(), tmp_path / "m")
    torch.save({}, tmp_path / "m" / "state.pt")
    with pytest.raises(ModelError, match="matgl cannot load"):
        MatglModel(folder).evaluate([layered()])


def test_a_folder_is_found_beside_the_campaign_and_in_worker_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(megnet(), tmp_path / "m")
    model = MatglModel("m", tmp_path / "m")
    monkeypatch.chdir(tmp_path)
    assert MatglModel("m") == model
    assert MatglModel("m").place.is_absolute()


def test_a_folder_that_names_other_code_is_refused_and_runs_none_of_it(tmp_path: Path) -> None:
    evil = {"@class": "Popen", "@module": "subprocess", "init_args": {"args": f"touch {tmp_path}/ran", "shell": True}}
    folder = Path(saved(megnet(), tmp_path / "m"))
    torch.save(torch.load(folder / "model.pt", weights_only=True) | {"activation": evil}, folder / "model.pt")
    with pytest.raises(ModelError, match=r"names code that is not matgl's \(subprocess\)"):
        MatglModel(str(folder)).evaluate([layered()])
    described = json.loads((folder / "model.json").read_text()) | {"@module": "own_evil"}
    (folder / "model.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match=r"names code that is not matgl's \(own_evil\)"):
        MatglModel(str(folder))
    assert not (tmp_path / "ran").exists()


def test_a_pickle_in_place_of_weights_is_refused(tmp_path: Path) -> None:
    folder = Path(saved(megnet(), tmp_path / "m"))
    torch.save({"element_types": Fraction(1, 2)}, folder / "model.pt")
    with pytest.raises(ModelError, match="holds more than weights and names"):
        MatglModel(str(folder)).evaluate([layered()])
