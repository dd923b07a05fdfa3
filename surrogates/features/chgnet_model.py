"""CHGNet as an embedder: energies, and the features that its readout sees.

Deng et al., Nat. Mach. Intell. 5, 1031 (2023).

Structures are evaluated one at a time and on one thread. That costs nothing on a CPU (a cell of 4 atoms already fills a
core), and makes a value independent, to the last bit, of what else is evaluated with it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import chgnet
import numpy as np
import torch
from chgnet.model import CHGNet
from numpy.typing import NDArray
from pymatgen.core import Structure

from campaigns.errors import ModelError
from surrogates.features.embeddings import Embeddings
from surrogates.features.threads import one_thread

Weights = Literal["0.3.0", "r2scan", "0.2.0"]

_FOLDER = Path(chgnet.__file__).parent / "pretrained"
_CONVERTER = threading.Lock()  # CHGNet's converter switches the garbage collector off and on again


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
        """Return the version of the code and a hash of the weights."""
        return f"{version('chgnet')}-{_hash(_weights_file(self.weights))}"

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings:
        """Return energies, n, in eV/atom and vectors, n x 64: the normalised last atom features, averaged over atoms.

        Raises:
            ModelError: CHGNet cannot represent a structure.
        """
        network = _network(self.weights)
        with one_thread(), torch.inference_mode():
            rows = [_evaluate(network, structure) for structure in structures]
        return Embeddings(np.array([energy for energy, _ in rows]), np.array([vector for _, vector in rows]))


def _evaluate(network: CHGNet, structure: Structure) -> tuple[float, NDArray[np.float32]]:
    try:
        with _CONVERTER:
            graph = network.graph_converter(structure)
        result = network.forward([graph], task="e", return_crystal_feas=True)
    except (ValueError, IndexError) as error:  # isolated atoms; elements beyond Pu
        formula = structure.composition.formula
        raise ModelError(f"CHGNet cannot evaluate {formula} ({error}); take this entry out of the pool") from error
    return float(result["e"][0]), result["crystal_fea"][0].numpy() / len(structure)  # CHGNet's pooling sums


@functools.cache
def _network(weights: Weights) -> CHGNet:
    with contextlib.redirect_stdout(io.StringIO()):  # CHGNet prints its size whatever ``verbose`` is
        network = CHGNet.load(model_name=weights, use_device="cpu", verbose=False)
    return network.eval()


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
