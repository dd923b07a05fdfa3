"""Graphs of structures, built once and packed into batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Graph:
    """One crystal of n atoms and e directed bonds.

    Attributes:
        node_type: n, place of each atom's element in the network's list.
        pos: n x 3, in Å.
        edge_index: 2 x e, atoms at the ends of each bond.
        pbc_offshift: e x 3, in Å, by which the second atom is moved.
    """

    node_type: Tensor
    pos: Tensor
    edge_index: Tensor
    pbc_offshift: Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Crystals side by side, with the attributes by which matgl's networks read a graph.

    Attributes:
        batch: number of the crystal of each atom.
        num_graphs: how many crystals.
    """

    node_type: Tensor
    pos: Tensor
    edge_index: Tensor
    pbc_offshift: Tensor
    batch: Tensor
    num_graphs: int


def pack_graphs(graphs: Sequence[Graph]) -> Batch:
    """Return crystals as one graph without bonds between them."""
    atoms = torch.tensor([len(graph.node_type) for graph in graphs])
    first = (torch.cumsum(atoms, 0) - atoms).tolist()
    return Batch(
        torch.cat([graph.node_type for graph in graphs]),
        torch.cat([graph.pos for graph in graphs]),
        torch.cat([graph.edge_index + shift for graph, shift in zip(graphs, first, strict=True)], dim=1),
        torch.cat([graph.pbc_offshift for graph in graphs]),
        torch.repeat_interleave(torch.arange(len(graphs)), atoms),
        len(graphs),
    )


def predict(network: Any, batch: Batch) -> Tensor:
    """Return the network's value of each crystal, n."""
    state = torch.zeros(batch.num_graphs, 2)  # matgl's default: no state, such as temperature, is given
    output: Tensor = network(batch, state_attr=state)
    return output.reshape(-1)
