"""CHGNet's weights, arranged for fast evaluation.

They are read from the files in CHGNet's wheel, and rewritten without changing what the network computes:

- The first linear map of a gated perceptron is split by what its inputs are (atoms, bonds, angles), so that products
  can be done once per atom and bond rather than once per edge and angle.
- Linear maps that follow on each other are multiplied out.
- Layer normalisation takes the mean off what a linear map made: it is taken off the map instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from campaigns.errors import ModelError

WIDTH = 64
_EXPECTED: Mapping[str, object] = {
    "atom_fea_dim": WIDTH,
    "bond_fea_dim": WIDTH,
    "angle_fea_dim": WIDTH,
    "atom_conv_hidden_dim": WIDTH,
    "bond_conv_hidden_dim": WIDTH,
    "angle_layer_hidden_dim": 0,
    "update_bond": True,
    "update_angle": True,
    "mlp_first": True,
    "is_intensive": True,
    "non_linearity": "silu",
    "conv_norm": None,
}


@dataclass(frozen=True, slots=True)
class Linear:
    """A map from x to ``x @ weight + bias``."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class Norm:
    """What k normalised tables of 64 columns are multiplied by, and what is added then, k x 1 x 64."""

    scale: Tensor
    shift: Tensor


@dataclass(frozen=True, slots=True)
class Gated:
    """A gated perceptron: ``silu(core) * sigmoid(gate)``.

    Attributes:
        blocks: the first linear map's weights for each input, 64 x 128: the core's columns, then the gate's.
        bias: of the first linear map, 128.
        second: the second linear maps of core and gate; None where there is no hidden layer.
        norm: of core and gate; None where nothing is normalised.
    """

    blocks: tuple[Tensor, ...]
    bias: Tensor
    second: tuple[Linear, Linear] | None
    norm: Norm | None


@dataclass(frozen=True, slots=True)
class AtomLayer:
    """How atoms are updated.

    Attributes:
        gated: of atom, bond and neighbour.
        radial: the bonds' block, applied to the radial basis of bonds that were never updated, r x 128.
        drift: what such bonds have gained by updates without angles, through the bonds' block, 128.
        out: of the sum of the messages.
    """

    gated: Gated
    radial: Tensor
    drift: Tensor
    out: Linear


@dataclass(frozen=True, slots=True)
class AngleLayer:
    """How angles speak.

    Attributes:
        gated: of the first bond, the second bond, the angle and the atom between them.
        angular: the angles' block, applied to the angular basis of angles that were never updated, f x 128.
    """

    gated: Gated
    angular: Tensor


@dataclass(frozen=True, slots=True)
class BondLayer:
    """How short bonds are updated, and then their angles.

    Attributes:
        messages: of the angles to their first bonds.
        out: of the sum of the messages.
        angles: the update of the angles; None in the last layer, after which nobody asks for angles.
    """

    messages: AngleLayer
    out: Linear
    angles: AngleLayer | None


@dataclass(frozen=True, slots=True)
class Weights:
    """A CHGNet whose radial basis has r functions and whose angular basis has f.

    Attributes:
        cutoff: longest bond, in Å.
        short: longest bond that has angles, in Å.
        exponent: of the smooth cutoff.
        references: 94, the energy that each element adds, in eV/atom.
        elements: 94 x 64, first features of atoms.
        radial: r, frequencies of the radial basis.
        radial_short: r, those of the radial basis of short bonds.
        angular: frequencies of the angular basis.
        bonds: r x 64, first features of bonds.
        bond_weights: r x 64, what messages of bonds are multiplied by.
        short_weights: r x 64, what messages of angles are multiplied by, for each of both bonds.
        angles: f x 64, first features of angles.
        norm: of the last features of atoms; None where nothing is normalised.
        readout: from an atom's last features to its energy.
    """

    cutoff: float
    short: float
    exponent: int
    references: Tensor
    elements: Tensor
    radial: Tensor
    radial_short: Tensor
    angular: Tensor
    bonds: Tensor
    bond_weights: Tensor
    short_weights: Tensor
    angles: Tensor
    atom_layers: tuple[AtomLayer, ...]
    bond_layers: tuple[BondLayer, ...]
    norm: Norm | None
    readout: tuple[Linear, ...]


def read_weights(file: Path) -> Weights:
    """Return the weights in a file of CHGNet's wheel.

    Raises:
        ModelError: they are of another architecture than the one that is rewritten here.
    """
    saved = torch.load(file, map_location="cpu", weights_only=True)["model"]
    settings: dict[str, Any] = saved["model_args"]
    for name, expected in _EXPECTED.items():
        if settings.get(name) != expected:
            raise ModelError(f"{file} has {name} = {settings.get(name)!r}; it must be {expected!r}: use another CHGNet")
    return _Reader({name: tensor.double() for name, tensor in saved["state_dict"].items()}).weights(settings)


@dataclass(frozen=True, slots=True)
class _Reader:
    """The state of a saved CHGNet, in double precision: names to tensors."""

    state: Mapping[str, Tensor]

    def weights(self, settings: Mapping[str, Any]) -> Weights:
        count = int(settings["n_conv"])
        basis = "bond_basis_expansion.rbf_expansion"
        return Weights(
            cutoff=float(settings["atom_graph_cutoff"]),
            short=float(settings["bond_graph_cutoff"]),
            exponent=int(settings["cutoff_coeff"]),
            references=_single(self.state["composition_model.fc.weight"][0]),
            elements=_single(self.state["atom_embedding.embedding.weight"]),
            radial=_single(self.state[f"{basis}_ag.frequencies"]),
            radial_short=_single(self.state[f"{basis}_bg.frequencies"]),
            angular=_single(self.state["angle_basis_expansion.fourier_expansion.frequencies"]),
            bonds=_single(self.state["bond_embedding.weight"].T),
            bond_weights=_single(self.state["bond_weights_ag.weight"].T),
            short_weights=_single(self.state["bond_weights_bg.weight"].T),
            angles=_single(self.state["angle_embedding.weight"].T),
            atom_layers=tuple(self._atom_layer(index) for index in range(count)),
            bond_layers=tuple(self._bond_layer(index, index == count - 2) for index in range(count - 1)),
            norm=self._norm("readout_norm"),
            readout=self._readout(),
        )

    def _atom_layer(self, index: int) -> AtomLayer:
        name = f"atom_conv_layers.{index}"
        block = self._first(f"{name}.twoBody_atom", 0)[0][WIDTH : 2 * WIDTH]
        added = torch.zeros(WIDTH, dtype=torch.float64)
        for before in range(index):
            added = added + self._bias(f"bond_conv_layers.{before}.mlp_out.layers.1")
        radial = self.state["bond_embedding.weight"].T @ block
        gated = self._gated(f"{name}.twoBody_atom", hidden=True)
        return AtomLayer(gated, _single(radial), _single(added @ block), self._linear(f"{name}.mlp_out.layers.1"))

    def _bond_layer(self, index: int, last: bool) -> BondLayer:
        name = f"bond_conv_layers.{index}"
        messages = self._angle_layer(f"{name}.twoBody_bond", hidden=True)
        angles = None if last else self._angle_layer(f"angle_layers.{index}.twoBody_bond", hidden=False)
        return BondLayer(messages, self._linear(f"{name}.mlp_out.layers.1"), angles)

    def _angle_layer(self, name: str, hidden: bool) -> AngleLayer:
        gated = self._gated(name, hidden)
        return AngleLayer(gated, _single(self.state["angle_embedding.weight"].T @ gated.blocks[2].double()))

    def _gated(self, name: str, hidden: bool) -> Gated:
        norm = self._norm(f"{name}.bn1", f"{name}.bn2")
        weight, bias = self._first(name, 0 if hidden else 1)
        if norm is not None and not hidden:
            weight, bias = _centred(weight), _centred(bias)
        second = self._second(name, centred=norm is not None) if hidden else None
        return Gated(tuple(_single(block) for block in weight.split(WIDTH)), _single(bias), second, norm)

    def _second(self, name: str, centred: bool) -> tuple[Linear, Linear]:
        """Return the second linear maps of both halves of a gated perceptron."""
        core, gate = (self._linear(f"{name}.{part}.layers.3", centred) for part in ("mlp_core", "mlp_gate"))
        return core, gate

    def _first(self, name: str, layer: int) -> tuple[Tensor, Tensor]:
        """Return the first linear map of both halves of a gated perceptron: weights, inputs x 128, and bias, 128."""
        names = [f"{name}.{part}.layers.{layer}" for part in ("mlp_core", "mlp_gate")]
        weight = torch.cat([self.state[f"{each}.weight"] for each in names]).T
        return weight, torch.cat([self.state[f"{each}.bias"] for each in names])

    def _readout(self) -> tuple[Linear, ...]:
        layers = sorted(int(name.split(".")[2]) for name in self.state if name.startswith("mlp.") and "weight" in name)
        return tuple(self._linear(f"mlp.layers.{layer}") for layer in layers)

    def _linear(self, name: str, centred: bool = False) -> Linear:
        weight, bias = self.state[f"{name}.weight"].T, self._bias(name)
        return Linear(*(_single(_centred(each) if centred else each) for each in (weight, bias)))

    def _bias(self, name: str) -> Tensor:
        """Return the bias of a linear map; zeros if it has none."""
        weight = self.state[f"{name}.weight"]
        return self.state.get(f"{name}.bias", weight.new_zeros(len(weight)))

    def _norm(self, *names: str) -> Norm | None:
        """Return the norms of these names, stacked, if there are any."""
        if f"{names[0]}.weight" not in self.state:
            return None
        scale, shift = (torch.stack([self.state[f"{name}.{part}"] for name in names]) for part in ("weight", "bias"))
        return Norm(_single(scale[:, None]), _single(shift[:, None]))


def _centred(columns: Tensor) -> Tensor:
    """Take the mean over each 64 columns off them."""
    groups = columns.unflatten(-1, (-1, WIDTH))
    return (groups - groups.mean(dim=-1, keepdim=True)).flatten(-2)


def _single(tensor: Tensor) -> Tensor:
    return tensor.float().contiguous()
