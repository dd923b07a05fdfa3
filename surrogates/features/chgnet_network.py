"""CHGNet's forward pass: the energy of a crystal, and the features of its atoms.

Deng et al., Nat. Mach. Intell. 5, 1031 (2023). The numbers are those of CHGNet's own code up to rounding. Faster are:

- Products are done per atom and bond rather than per edge and angle (see ``chgnet_weights``), then gathered and summed
  in one pass.
- Bonds without angles never change: what each layer makes of them comes straight from their radial basis.
- The first features of an angle are also those of its mirror image, and are made once.
- The last update of the angles, which nothing depends on, is left out.
- Rows are worked on in blocks that fit into a core's cache, in memory that is used again: fresh pages are slow.
- Tiny numbers are flushed to zero: hidden layers reach hundreds, where exponentials are denormal, and slow. No result
  changes by more than 1e-38.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from surrogates.features.chgnet_graph import CrystalGraph
from surrogates.features.chgnet_weights import WIDTH, AngleLayer, AtomLayer, BondLayer, Gated, Linear, Weights

_BLOCK = 1024  # rows
_EPSILON = torch.tensor(1e-5)  # of layer normalisation


class _Scratch(threading.local):
    """Memory that is used again for each crystal; each thread keeps as much as its largest crystal takes."""

    def __init__(self) -> None:
        self._buffers: dict[str, Tensor] = {}

    def rows(self, name: str, count: int, width: int) -> Tensor:
        """Return count x width numbers, whatever they are; they last until this name is asked for again."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.numel() < count * width:
            buffer = self._buffers[name] = torch.empty(count * width)
        return buffer[: count * width].view(count, width)


_SCRATCH = _Scratch()


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Flush denormal numbers to zero inside the block, on this thread."""
    flushed = float(torch.tensor(1e-39) * 1.0) == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)


def check_elements(weights: Weights, graph: CrystalGraph) -> None:
    """Check that the network knows all elements.

    Raises:
        ValueError: it does not.
    """
    known = len(weights.references)
    unknown = graph.numbers[(graph.numbers < 1) | (graph.numbers > known)]
    if len(unknown):
        raise ValueError(f"atomic numbers {sorted(set(unknown.tolist()))}; known are 1 to {known}")


def evaluate(weights: Weights, graph: CrystalGraph) -> tuple[float, NDArray[np.float32]]:
    """Return the energy, in eV/atom, and the mean of the atoms' last features, 64; run it in inference mode."""
    forward = _Pass(weights, graph)
    atoms = features = forward.last_atoms()
    for index, layer in enumerate(weights.readout):
        features = _linear(functional.silu(features) if index else features, layer)
    energy = features.mean() + weights.references[forward.kinds].mean()
    return float(energy), atoms.mean(dim=0).numpy()


class _Edges(NamedTuple):
    """A block of k edges.

    Attributes:
        rows: k x 3, of the stacked tables of atoms, neighbours and bonds.
        atom: k, where its messages go.
        bond: k.
    """

    rows: Tensor
    atom: Tensor
    bond: Tensor


class _Angles(NamedTuple):
    """A block of k angles.

    Attributes:
        rows: k x 3, of the stacked tables of first bonds, second bonds and atoms.
        rows_at_first: k x 4, the same, and of the table of pairs below.
        first: k, the bond where its messages go.
        second: k, the other bond.
        pair: k.
    """

    rows: Tensor
    rows_at_first: Tensor
    first: Tensor
    second: Tensor
    pair: Tensor


class _Pass:
    """One crystal on its way through the layers."""

    def __init__(self, weights: Weights, graph: CrystalGraph) -> None:
        self._weights = weights
        self._start_bonds(graph)
        self._start_angles(graph)
        self.kinds = torch.from_numpy(graph.numbers) - 1
        self._atoms = weights.elements[self.kinds]

    def last_atoms(self) -> Tensor:
        """Return the atoms' features after all layers, n x 64."""
        for atom_layer, bond_layer in zip(self._weights.atom_layers, (*self._weights.bond_layers, None), strict=True):
            self._update_atoms(atom_layer)
            if bond_layer is not None and self._angle_blocks:
                self._update_bonds(bond_layer)
        norm = self._weights.norm
        if norm is None:
            return self._atoms
        return functional.layer_norm(self._atoms, (WIDTH,), norm.scale.flatten(), norm.shift.flatten())

    def _start_bonds(self, graph: CrystalGraph) -> None:
        weights, count = self._weights, len(graph.numbers)
        lengths = torch.from_numpy(graph.lengths).float()
        self._radial = _radial(lengths, weights.radial, weights.cutoff, weights.exponent)
        self._bond_weights = self._radial @ weights.bond_weights
        self._bonds = self._radial[: graph.short] @ weights.bonds
        radial = _radial(lengths[: graph.short], weights.radial_short, weights.short, weights.exponent)
        self._short_weights = radial @ weights.short_weights
        edges = torch.from_numpy(graph.edges)
        self._edge_blocks = [
            _Edges(*block) for block in _blocks(_stacked(edges, (0, count, 2 * count)), *edges[[0, 2]])
        ]

    def _start_angles(self, graph: CrystalGraph) -> None:
        ends, pairs = torch.from_numpy(graph.angles), torch.from_numpy(graph.pairs)
        starts = (0, graph.short, 2 * graph.short, 2 * graph.short + len(graph.numbers))
        at_first = _stacked(torch.cat([ends, pairs[None]]), starts)
        columns = (at_first[:, :3].contiguous(), at_first, *ends[:2], pairs)
        self._angle_blocks = [_Angles(*block) for block in _blocks(*columns)]
        self._angular = _angular(torch.from_numpy(graph.spread).float(), self._weights.angular)
        self._angles: tuple[Tensor, ...] | None = None  # the features of each block, once they differ from the first

    def _update_atoms(self, layer: AtomLayer) -> None:
        total = torch.zeros_like(self._atoms)
        table = self._edge_table(layer)
        for block in self._edge_blocks:
            hidden = functional.embedding_bag(block.rows, table, mode="sum")
            messages = self._gated(layer.gated, hidden).mul_(_gather(self._bond_weights, block.bond))
            total.index_add_(0, block.atom, messages)
        self._atoms = self._atoms + _linear(total, layer.out)

    def _edge_table(self, layer: AtomLayer) -> Tensor:
        """Return the first linear map of each atom, of each neighbour and of each bond, stacked."""
        count, short = len(self._atoms), len(self._bonds)
        atom, bond, neighbour = layer.gated.blocks
        table = _SCRATCH.rows("table", 2 * count + len(self._radial), 2 * WIDTH)
        torch.addmm(layer.gated.bias, self._atoms, atom, out=table[:count])
        torch.mm(self._atoms, neighbour, out=table[count : 2 * count])
        drifts = float(len(self._angle_blocks) > 0)  # without any angle, no bond is ever updated
        torch.addmm(layer.drift, self._radial, layer.radial, beta=drifts, out=table[2 * count :])
        torch.mm(self._bonds, bond, out=table[2 * count : 2 * count + short])
        return table

    def _update_bonds(self, layer: BondLayer) -> None:
        total = torch.zeros_like(self._bonds)
        for block, hidden in zip(self._angle_blocks, self._hidden(layer.messages), strict=True):
            messages = self._gated(layer.messages.gated, hidden).mul_(_gather(self._short_weights, block.second))
            total.index_add_(0, block.first, messages)
        self._bonds = self._bonds + _linear(total.mul_(self._short_weights), layer.out)
        if layer.angles is not None:
            self._update_angles(layer.angles)

    def _update_angles(self, layer: AngleLayer) -> None:
        angles = self._angles or self._first_angles()
        for features, hidden in zip(angles, self._hidden(layer), strict=True):
            features.add_(self._gated(layer.gated, hidden))
        self._angles = angles

    def _first_angles(self) -> tuple[Tensor, ...]:
        features = self._angular @ self._weights.angles
        sizes = [len(block.pair) for block in self._angle_blocks]
        blocks = _SCRATCH.rows("angles", sum(sizes), WIDTH).split(sizes)
        for out, block in zip(blocks, self._angle_blocks, strict=True):
            torch.index_select(features, 0, block.pair, out=out)
        return blocks

    def _hidden(self, layer: AngleLayer) -> Iterator[Tensor]:
        """Yield the first linear map of each block of angles."""
        table = self._angle_table(layer)
        if self._angles is None:
            for block in self._angle_blocks:
                yield functional.embedding_bag(block.rows_at_first, table, mode="sum")
        else:
            for block, features in zip(self._angle_blocks, self._angles, strict=True):
                hidden = functional.embedding_bag(block.rows, table, mode="sum")
                yield torch.addmm(hidden, features, layer.gated.blocks[2], out=hidden)

    def _angle_table(self, layer: AngleLayer) -> Tensor:
        """Return the first linear map of each first bond, second bond, atom and, at first, pair of angles, stacked."""
        short, count = len(self._bonds), len(self._atoms)
        first, second, _, atom = layer.gated.blocks
        table = _SCRATCH.rows("table", 2 * short + count + len(self._angular), 2 * WIDTH)
        torch.mm(self._bonds, first, out=table[:short])
        torch.mm(self._bonds, second, out=table[short : 2 * short])
        torch.addmm(layer.gated.bias, self._atoms, atom, out=table[2 * short : 2 * short + count])
        if self._angles is None:
            torch.mm(self._angular, layer.angular, out=table[2 * short + count :])
        return table

    def _gated(self, gated: Gated, hidden: Tensor) -> Tensor:
        """Return the rest of a gated perceptron after its first linear map, k x 128, which is overwritten."""
        count = len(hidden)
        halves = _SCRATCH.rows("halves", 2 * count, WIDTH).view(2, count, WIDTH)
        core, gate = halves
        if gated.second is None:
            halves.copy_(hidden.view(count, 2, WIDTH).transpose(0, 1))
        else:
            functional.silu(hidden, inplace=True)
            _linear(hidden[:, :WIDTH], gated.second[0], out=core)
            _linear(hidden[:, WIDTH:], gated.second[1], out=gate)
        if gated.norm is not None:  # the means are zero already
            length = torch.linalg.vector_norm(halves, dim=2, keepdim=True)
            halves.mul_(torch.addcmul(_EPSILON, length, length, value=1 / WIDTH).rsqrt_())
            torch.addcmul(gated.norm.shift, halves, gated.norm.scale, out=halves)
        return functional.silu(core, inplace=True).mul_(gate.sigmoid_())


def _gather(rows: Tensor, which: Tensor) -> Tensor:
    return torch.index_select(rows, 0, which, out=_SCRATCH.rows("gathered", len(which), WIDTH))


def _blocks(*columns: Tensor) -> list[tuple[Tensor, ...]]:
    """Cut tensors with the same number of rows into blocks of nearly equal size; no rows make no block."""
    count = len(columns[0])
    if count == 0:
        return []
    size = math.ceil(count / math.ceil(count / _BLOCK))
    return list(zip(*(column.split(size) for column in columns), strict=True))


def _stacked(indices: Tensor, starts: tuple[int, ...]) -> Tensor:
    """Return indices, rows x k, of k stacked tables that begin at these rows; given k x rows for each table."""
    return (indices + torch.tensor(starts)[:, None]).T.contiguous()


def _linear(rows: Tensor, layer: Linear, out: Tensor | None = None) -> Tensor:
    return torch.addmm(layer.bias, rows, layer.weight, out=out)


def _radial(lengths: Tensor, frequencies: Tensor, cutoff: float, exponent: int) -> Tensor:
    """Return Bessel functions with a smooth cutoff, b x r: Gasteiger, Groß & Günnemann, ICLR 2020, eq. 7 and 8."""
    lengths = lengths[:, None]
    share = lengths / cutoff
    p, high = exponent, share**exponent
    smooth = 1 + high * (-(p + 1) * (p + 2) / 2 + p * (p + 2) * share - p * (p + 1) / 2 * share**2)
    return (2 / cutoff) ** 0.5 * torch.where(share < 1, smooth, 0.0) * torch.sin(share * frequencies) / lengths


def _angular(angles: Tensor, frequencies: Tensor) -> Tensor:
    """Return a Fourier series of each angle, a x f."""
    phases = torch.outer(angles, frequencies)
    constant = torch.full((len(angles), 1), 0.5**0.5)
    return torch.cat([constant, phases.sin(), phases.cos()], dim=1) / math.sqrt(math.pi)
