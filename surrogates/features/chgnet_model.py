"""CHGNet as an embedder: energies, and the features that its readout sees.

Deng et al., Nat. Mach. Intell. 5, 1031 (2023).

The weights are those in CHGNet's wheel. Graphs and forward pass are our own; they give the numbers of stock CHGNet up
to its own rounding error (``python -m benchmarks.throughput`` compares them). Structures are evaluated one at a time
and on one thread, so that a value is independent, to the last bit, of what else is evaluated with it. Batches would
gain little: 5 atoms already have 700 angles, which keep a core busy.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import chgnet
import numpy as np
import torch
from numpy.typing import NDArray
from pymatgen.core import Structure

from campaigns.errors import ModelError
from surrogates.features import chgnet_network
from surrogates.features.chgnet_graph import CrystalGraph, crystal_graph
from surrogates.features.chgnet_weights import Weights as Network
from surrogates.features.chgnet_weights import read_weights
from surrogates.features.embeddings import Embeddings
from surrogates.parallel.threads import one_thread

Weights = Literal["0.3.0", "r2scan", "0.2.0"]

_FOLDER = Path(chgnet.__file__).parent / "pretrained"
_GRAPHS = 32  # made in one go: graphs and network push each other's code out of the core's caches
_REVISION = 2  # of graphs and forward pass: raise it when a result changes in any digit


@dataclass(frozen=True, slots=True)
class ChgnetModel:
    """Evaluate structures by a CHGNet whose weights come with its wheel.

    Attributes:
        weights: "0.3.0" and "0.2.0" were trained on PBE(+U), "r2scan" on r2SCAN.

    Raises:
        ModelError: there are no such weights.
    """

    weights: Weights = "0.3.0"

    def __post_init__(self) -> None:
        _weights_file(self.weights)

    @property
    def name(self) -> str:
        """Return the name under which results are cached."""
        return f"chgnet-{self.weights}"

    @property
    def version(self) -> str:
        """Return the versions of CHGNet and of this code, and a hash of the weights."""
        return f"{version('chgnet')}-{_REVISION}-{_hash(_weights_file(self.weights))}"

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings:
        """Return energies, n, in eV/atom and vectors, n x 64: the normalised last atom features, averaged over atoms.

        Raises:
            ModelError: CHGNet cannot represent a structure.
        """
        network = _network(self.weights)
        rows: list[tuple[float, NDArray[np.float32]]] = []
        with one_thread(), torch.inference_mode(), chgnet_network.flush_denormals():
            for start in range(0, len(structures), _GRAPHS):
                graphs = [_graph(network, structure) for structure in structures[start : start + _GRAPHS]]
                rows += [chgnet_network.evaluate(network, graph) for graph in graphs]
        return Embeddings(np.array([energy for energy, _ in rows]), np.array([vector for _, vector in rows]))


def _graph(network: Network, structure: Structure) -> CrystalGraph:
    try:
        graph = crystal_graph(structure, network.cutoff, network.short)
        chgnet_network.check_elements(network, graph)
    except ValueError as error:
        formula = structure.composition.formula
        raise ModelError(f"CHGNet cannot evaluate {formula} ({error}); take this entry out of the pool") from error
    return graph


@functools.cache
def _network(weights: Weights) -> Network:
    return read_weights(_weights_file(weights))


@functools.cache
def _weights_file(weights: str) -> Path:
    files = sorted((_FOLDER / weights).glob("*.pth.tar"))
    if not files:
        allowed = sorted(folder.name for folder in _FOLDER.iterdir())
        raise ModelError(f"CHGNet has no weights {weights!r}; allowed: {', '.join(allowed)}")
    return files[0]


@functools.cache
def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
