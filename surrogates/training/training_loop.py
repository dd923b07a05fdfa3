"""The training loop: Adam with a falling rate, stopped when the validation error no longer falls.

matgl's own trainer is Lightning. This plain loop weights rows by their uncertainty, keeps the best weights in memory
rather than in checkpoints, handles no signals and logs nothing.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from campaigns.errors import ModelError
from surrogates.parallel.threads import one_thread
from surrogates.training.graphs import Graph, pack_graphs, predict
from surrogates.training.networks import head_of

_LARGEST_GRADIENT = 10.0
_BATCH, _LEAST_BATCH = 32, 8  # a step costs as much for fewer rows
_STEPS = 10  # per epoch, at least, of tables too small for full batches
_BONDS = 8000  # evaluated at once: more need memory and save no time


@dataclass(frozen=True)
class Samples:
    """n graphs with what should be said of them.

    Attributes:
        targets: n, scaled to zero mean and unit variance.
        weights: n, how much each counts.
    """

    graphs: Sequence[Graph]
    targets: Tensor
    weights: Tensor


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        epochs: most passes over the rows.
        patience: epochs without a better validation error after which to stop.
        seed: of the order of the rows.
        rate: first learning rate.
        body: share of it for the layers before the head.
    """

    epochs: int
    patience: int
    seed: int
    rate: float = 3e-3
    body: float = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """One epoch: mean absolute errors in units of the targets' spread, and whether it is the best so far."""

    number: int
    training: float
    validation: float
    best: bool


def train_network(
    network: Any,
    training: Samples,
    validation: Samples,
    schedule: Schedule,
    on_step: Callable[[Step], None] | None = None,
) -> list[Step]:
    """Train a network in place and leave it with the weights of the epoch of the least validation error.

    The weights that it comes with count as epoch 0. The same network, rows and schedule give the same weights.

    Raises:
        ModelError: the errors are no numbers any more.
    """
    order = torch.Generator().manual_seed(schedule.seed)
    optimiser = torch.optim.Adam(_groups(network, schedule))
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, schedule.epochs, schedule.rate / 100)
    steps: list[Step] = []
    with one_thread():
        best, kept, at = error_of(network, validation), copy.deepcopy(network.state_dict()), 0
        for number in range(1, schedule.epochs + 1):
            loss = _epoch(network, training, optimiser, torch.randperm(len(training.graphs), generator=order))
            falling.step()
            error = error_of(network, validation)
            steps.append(Step(number, loss, error, error < best))
            if error < best:
                best, kept, at = error, copy.deepcopy(network.state_dict()), number
            if on_step is not None:
                on_step(steps[-1])
            if number - at >= schedule.patience:
                break
    network.load_state_dict(kept)
    network.eval()
    return steps


def values_of(network: Any, graphs: Sequence[Graph]) -> Tensor:
    """Return the network's value of each graph, n."""
    network.eval()
    with one_thread(), torch.no_grad():
        return torch.cat([predict(network, pack_graphs([graphs[i] for i in part])) for part in _parts(graphs)])


def error_of(network: Any, samples: Samples) -> float:
    """Return the weighted mean absolute error, in units of the targets' spread."""
    misses = (values_of(network, samples.graphs) - samples.targets).abs()
    return _finite(float((samples.weights * misses).sum() / samples.weights.sum()))


def _groups(network: Any, schedule: Schedule) -> list[dict[str, Any]]:
    """Return the parameters of head and body with their learning rates."""
    head = list(head_of(network).parameters())
    known = {id(parameter) for parameter in head}
    body = [parameter for parameter in network.parameters() if id(parameter) not in known]
    return [{"params": head, "lr": schedule.rate}, {"params": body, "lr": schedule.rate * schedule.body}]


def _epoch(network: Any, samples: Samples, optimiser: torch.optim.Optimizer, order: Tensor) -> float:
    """Return the weighted mean absolute error of the rows, each before the step that learns from it."""
    network.train()
    size = max(_LEAST_BATCH, min(_BATCH, len(order) // _STEPS))
    total = 0.0
    for rows in order.split(size):
        optimiser.zero_grad()
        for part in _parts([samples.graphs[i] for i in rows.tolist()]):
            total += _learn(network, samples, rows[part], len(rows))
        torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
        optimiser.step()
    return _finite(total / float(samples.weights.sum()))


def _learn(network: Any, samples: Samples, rows: Tensor, count: int) -> float:
    """Add to the gradient what some of ``count`` rows have in it, and return the sum of their absolute errors."""
    misses = predict(network, pack_graphs([samples.graphs[i] for i in rows.tolist()])) - samples.targets[rows]
    weighted = samples.weights[rows] * misses**2
    (weighted.sum() / count).backward()
    return float((samples.weights[rows] * misses.detach().abs()).sum())


def _parts(graphs: Sequence[Graph]) -> list[list[int]]:
    """Return the places of the graphs in parts that memory has room for: one graph, or up to so many bonds."""
    parts: list[list[int]] = []
    bonds = _BONDS
    for place, graph in enumerate(graphs):
        bonds += graph.edge_index.shape[1]
        if bonds > _BONDS:
            parts.append([])
            bonds = graph.edge_index.shape[1]
        parts[-1].append(place)
    return parts


def _finite(error: float) -> float:
    if not math.isfinite(error):
        raise ModelError(
            "the training diverged: its error is no number any more; look for values that are far too large"
        )
    return error
