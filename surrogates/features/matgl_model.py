"""Models of matgl as embedders: a local folder, or a published model that is in matgl's cache already."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matgl
import numpy as np
import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from matgl.apps.pes import Potential
from matgl.config import MATGL_CACHE
from matgl.ext.pymatgen import Structure2Graph
from matgl.models import CHGNet, M3GNet, MEGNet, TensorNet, TransformedTargetModel
from matgl.utils.io import HF_MATGL_ORG
from numpy.typing import NDArray
from pymatgen.core import Structure

from campaigns.errors import ModelError
from surrogates.features.embeddings import Embeddings
from surrogates.features.threads import one_thread

_FILES = ("model.pt", "state.pt", "model.json")
_KINDS = (MEGNet, M3GNet, TensorNet, CHGNet)
_ATOM_FEATURES = {M3GNet: "node_feat", CHGNet: "atom_feat"}  # of the last block, where there is no wide readout


@dataclass(frozen=True, slots=True)
class MatglModel:
    """Evaluate structures by a saved MEGNet, M3GNet, TensorNet or CHGNet of matgl.

    Nothing is ever downloaded.

    Attributes:
        source: folder that ``model.save`` wrote, or the name of a published model in matgl's cache.

    Raises:
        ModelError: there is no such folder, and no such model in the cache.
    """

    source: str

    def __post_init__(self) -> None:
        _folder(self.source)

    @property
    def name(self) -> str:
        """Return the name under which results are cached; the version tells models apart."""
        return "matgl"

    @property
    def version(self) -> str:
        """Return the version of the code and a hash of the model's files."""
        return f"{version('matgl')}-{_hash(_folder(self.source))}"

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings:
        """Return the predictions, n, and the vectors, n x d, that the model's last layers see.

        Energies of potentials and of extensive models are in eV/atom, properties in the unit of their training.

        Raises:
            ModelError: the model cannot be loaded, or lacks an element.
        """
        model = _load(_folder(self.source), self.version)
        rows = [_evaluate(model, structure) for structure in structures]
        return Embeddings(np.array([value for value, _ in rows]), np.array([vector for _, vector in rows]))


def _evaluate(model: Any, structure: Structure) -> tuple[float, NDArray[np.float32]]:
    network = model.model if isinstance(model, Potential | TransformedTargetModel) else model
    unknown = {element.symbol for element in structure.composition.elements} - set(network.element_types)
    if unknown:
        raise ModelError(f"the matgl model knows no {', '.join(sorted(unknown))}; take such entries out of the pool")
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


def _folder(source: str) -> Path:
    if all((Path(source) / file).is_file() for file in _FILES):
        return Path(source)
    cached = [_in_cache(source, file) for file in _FILES]
    if None in cached:
        raise ModelError(
            f"matgl model {source!r} is no folder that holds {', '.join(_FILES)} and is not in matgl's cache, "
            f"{MATGL_CACHE}; nothing is downloaded here: on a machine with network, run "
            f"matgl.load_model({source!r}).save('folder'), and give that folder"
        )
    return Path(str(cached[0])).parent


def _in_cache(source: str, file: str) -> str | None:
    repository = source if "/" in source else f"{HF_MATGL_ORG}/{source}"
    try:
        found = try_to_load_from_cache(repository, file, cache_dir=MATGL_CACHE)
    except HFValidationError:  # a path, no name
        return None
    return found if isinstance(found, str) else None


@functools.cache
def _load(folder: Path, _version: str) -> Any:
    try:
        model = matgl.load_model(folder)
    except (ValueError, RuntimeError) as error:
        raise ModelError(
            f"matgl cannot load {folder} ({error}); save the model again with matgl {matgl.__version__}"
        ) from error
    network = model.model if isinstance(model, Potential | TransformedTargetModel) else model
    if type(network) not in _KINDS:
        raise ModelError(
            f"{folder} holds a {type(network).__name__}; allowed: {', '.join(kind.__name__ for kind in _KINDS)}"
        )
    if isinstance(model, Potential):
        model.calc_forces = model.calc_stresses = model.calc_hessian = False
    return model.eval()


def _hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in _FILES:
        digest.update((folder / file).read_bytes())
    return digest.hexdigest()[:12]
