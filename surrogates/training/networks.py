"""matgl's networks for training: made, saved and loaded, with everything that needs to know their insides.

MEGNet: Chen et al., Chem. Mater. 31, 3564 (2019). M3GNet: Chen & Ong, Nat. Comput. Sci. 2, 718 (2022). TensorNet:
Simeon & De Fabritiis, Adv. Neural Inf. Process. Syst. 36 (2023).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, assert_never

import torch
from matgl.config import DEFAULT_ELEMENTS
from matgl.ext.pymatgen import Structure2Graph
from matgl.models import M3GNet, MEGNet, TensorNet
from pymatgen.core import Element, Structure

from campaigns.errors import ModelError
from surrogates.features.matgl_model import load_network
from surrogates.training.graphs import Graph
from surrogates.training.record import Kind

ELEMENTS: tuple[str, ...] = DEFAULT_ELEMENTS
"""What the networks have a place for."""


def new_network(kind: Kind, seed: int) -> torch.nn.Module:
    """Return a new network for a property that does not grow with the cell; the seed determines its weights."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        match kind:
            case "megnet":
                return MEGNet(element_types=ELEMENTS)
            case "m3gnet":
                return M3GNet(element_types=ELEMENTS)
            case "tensornet":
                return TensorNet(element_types=ELEMENTS)
            case _:
                assert_never(kind)


def load(folder: Path) -> torch.nn.Module:
    """Return the network that ``save`` wrote.

    Raises:
        ModelError: matgl cannot read it.
    """
    try:
        network: torch.nn.Module = load_network(folder)
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"matgl cannot load {folder} ({error}); train the model again") from error
    return network


def save(network: torch.nn.Module, folder: Path) -> None:
    """Write matgl's files into a folder."""
    network.eval()
    network.save(folder)  # type: ignore[operator]  # matgl's mix-in


class GraphMaker:
    """Turns structures into the graphs of one network."""

    def __init__(self, network: Any) -> None:
        self._converter = Structure2Graph(element_types=network.element_types, cutoff=network.cutoff)

    def __call__(self, structure: Structure) -> Graph:
        """Return the graph of a structure.

        Raises:
            ModelError: the network sees nothing of it.
        """
        strange = {element.symbol for element in structure.composition.elements} - set(self._converter.element_types)
        if strange:
            raise ModelError(f"matgl has no place for {', '.join(sorted(strange))}")
        data, lattice, _ = self._converter.get_graph(structure)
        if data.edge_index.shape[1] == 0:
            raise ModelError(
                f"no two atoms are closer than {self._converter.cutoff} Å, so that there is no bond to see"
            )
        return Graph(
            data.node_type, data.frac_coords @ lattice[0], data.edge_index.long(), data.pbc_offset @ lattice[0]
        )


def head_of(network: Any) -> torch.nn.Module:
    """Return the layers from the crystal's features to the value; the others are the network's body."""
    head: torch.nn.Module = network.output_proj if isinstance(network, MEGNet) else network.final_layer
    return head


def rescale(network: Any, slope: float, offset: float) -> None:
    """Change the network so that it says ``slope * y + offset`` where it said y, by its last linear layer.

    matgl's own wrapper for scaled targets cannot be loaded again: its scaler is not among the types that torch
    unpickles.
    """
    last = [layer for layer in head_of(network).modules() if isinstance(layer, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight.mul_(slope)
        last.bias.mul_(slope).add_(offset)


def lend_embeddings(network: Any, known: Iterable[str]) -> None:
    """Let each element that was never seen look like the seen one that is next to it on Pettifor's scale.

    Its own embedding is still the random one of the start. Pettifor, Solid State Commun. 51, 31 (1984), puts elements
    in an order in which neighbours replace each other in crystals.
    """
    seen = sorted(known)
    places = {symbol: i for i, symbol in enumerate(network.element_types)}
    with torch.no_grad():
        for table in network.modules():
            if isinstance(table, torch.nn.Embedding) and table.num_embeddings == len(places):
                for symbol in places.keys() - set(seen):
                    table.weight[places[symbol]] = table.weight[places[nearest(symbol, seen)]]


def nearest(symbol: str, known: Iterable[str]) -> str:
    """Return the known element that is nearest on Pettifor's scale; the first by name of two."""
    place = Element(symbol).mendeleev_no
    return min(sorted(known), key=lambda other: abs(Element(other).mendeleev_no - place))
