"""Models of matgl as embedders: a local folder, or a published model that is in matgl's cache already."""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matgl
import numpy as np
import torch
from matgl.apps.pes import Potential
from matgl.ext.pymatgen import Structure2Graph
from matgl.models import CHGNet, M3GNet, TransformedTargetModel
from numpy.typing import NDArray
from pymatgen.core import Structure

from campaigns.errors import ModelError
from surrogates.features.embeddings import Embeddings
from surrogates.features.matgl_files import FILES, foreign_modules, model_folder, trouble
from surrogates.parallel.threads import one_thread

_ATOM_FEATURES = {M3GNet: "node_feat", CHGNet: "atom_feat"}  # of the last block, where there is no wide readout


@dataclass(frozen=True, slots=True)
class MatglModel:
    """Evaluate structures by a saved MEGNet, M3GNet, TensorNet or CHGNet of matgl.

    Nothing is ever downloaded.

    Attributes:
        source: folder that ``model.save`` wrote, or the name of a published model in matgl's cache.
        place: where a folder of that name would be; by default in the working directory.

    Raises:
        ModelError: there is no such model, or it cannot be used with the matgl that is installed.
    """

    source: str
    place: Path | None = None

    def __post_init__(self) -> None:
        place = (self.place or Path(self.source)).absolute()  # workers may run elsewhere
        object.__setattr__(self, "place", place)
        found = trouble(self.source, place)
        if found is not None:
            raise ModelError(found)

    @property
    def name(self) -> str:
        """Return the name under which results are cached; the version tells models apart."""
        return "matgl"

    @property
    def version(self) -> str:
        """Return the version of the code and a hash of the model's files."""
        return f"{version('matgl')}-{_hash(self._folder)}"

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings:
        """Return the predictions, n, and the vectors, n x d, that the model's last layers see.

        Energies of potentials and of extensive models are in eV/atom, properties in the unit of their training.

        Raises:
            ModelError: the model cannot be loaded, or lacks an element.
        """
        model = _load(self._folder, self.version)
        rows = [_evaluate(model, structure) for structure in structures]
        return Embeddings(np.array([value for value, _ in rows]), np.array([vector for _, vector in rows]))

    @property
    def _folder(self) -> Path:
        return model_folder(self.source, self.place)


def _evaluate(model: Any, structure: Structure) -> tuple[float, NDArray[np.float32]]:
    network = model.model if isinstance(model, Potential | TransformedTargetModel) else model
    unknown = {element.symbol for element in structure.composition.elements} - set(network.element_types)
    if unknown:
        names, formula = ", ".join(sorted(unknown)), structure.composition.reduced_formula
        raise ModelError(f"the matgl model knows no {names}, which {formula} holds; take such entries out of the pool")
    with one_thread(), torch.no_grad():
        prediction = float(_predict(model, structure))
    total = isinstance(model, Potential) or not getattr(network, "is_intensive", True)
    return prediction / (len(structure) if total else 1), _vector(network)


def _predict(model: Any, structure: Structure) -> torch.Tensor:
    if not isinstance(model, Potential):
        return model.predict_structure(structure)
    network = model.model
    converter = Structure2Graph(element_types=network.element_types, cutoff=network.cutoff)
    graph, lattice, state = converter.get_graph(structure)
    return model(graph, lattice, torch.tensor(state, dtype=matgl.float_th))[0]


def _vector(network: Any) -> NDArray[np.float32]:
    """Return the features of the crystal, or the mean of those of its atoms."""
    features = network.feature_dict
    rows = features.get("readout")
    if rows is None or rows.shape[-1] == 1:  # then it holds the energies of the atoms
        rows = features[f"gc_{network.n_blocks}"][_ATOM_FEATURES[type(network)]]
    return rows.mean(dim=0).numpy().copy()


def load_network(folder: Path) -> Any:
    """Return the model that a folder holds, which may name no other code than matgl's: loading would run it.

    Raises:
        ModelError: it does.
        ValueError, RuntimeError: matgl cannot load it.
    """
    try:
        arguments = torch.load(folder / "model.pt", map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(f"matgl model {folder}: model.pt holds more than weights and names ({error})") from error
    description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    if foreign := foreign_modules([description, arguments]):
        raise ModelError(f"matgl model {folder} names code that is not matgl's ({', '.join(foreign)}); do not use it")
    return matgl.load_model(folder)


@functools.cache
def _load(folder: Path, _version: str) -> Any:
    try:
        model = load_network(folder)
    except (ValueError, RuntimeError) as error:
        raise ModelError(
            f"matgl cannot load {folder} ({error}); save the model again with matgl {matgl.__version__}"
        ) from error
    if isinstance(model, Potential):
        model.calc_forces = model.calc_stresses = model.calc_hessian = False
    return model.eval()


def _hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in FILES:
        digest.update((folder / file).read_bytes())
    return digest.hexdigest()[:12]
