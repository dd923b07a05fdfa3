"""How fast structures are embedded by CHGNet, against stock CHGNet in the same run, and whether the numbers agree.

    python -m benchmarks.throughput

Both evaluate the same crystals on one thread, graphs included, by turns; times are the process's own, so that what else
runs on the machine counts little. Stock is ``graph_converter`` and ``predict_graph`` in inference mode, at its fastest
batch size.
"""

from __future__ import annotations

import contextlib
import copy
import io
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.errors import start
from benchmarks.statistics import quartiles
from surrogates.features.chgnet_graph import crystal_graph
from surrogates.features.chgnet_model import ChgnetModel, Weights
from surrogates.features.embeddings import Embeddings
from surrogates.parallel.threads import one_thread

ATOMS = {5: (1, 1, 1), 20: (2, 2, 1), 40: (2, 2, 2)}
ALL_WEIGHTS: tuple[Weights, ...] = ("0.3.0", "0.2.0", "r2scan")
_PEROVSKITES = ((("Sr", "Ti", "O"), 3.91), (("Na", "Mg", "F"), 3.95), (("Cs", "Pb", "Br"), 5.87))  # a in Å
_BATCHES = (1, 4, 16)
_ATOMS_PER_TURN = 240
_LAYER = (2048, 64, 64)  # rows, inputs and outputs of a product as in the layers
_MEMORY = """
from benchmarks.throughput import crystals, {evaluate}
from loop.cli.memory import peak_memory
{evaluate}(4 * crystals(40))
print(peak_memory())
"""


@dataclass(frozen=True)
class Comparison:
    """What was measured on crystals of one size.

    Attributes:
        atoms: in each crystal.
        batch: size of stock's fastest batches.
        stock: structures/s of stock in each turn.
        ours: structures/s of ours in each turn.
        graphs: share of our time that graphs take.
        flop: operations per structure, ours, of all matrix products.
        stock_flop: operations per structure, stock.
        peak: operations/s that the core does on such products.
    """

    atoms: int
    batch: int
    stock: NDArray[np.float64]
    ours: NDArray[np.float64]
    graphs: float
    flop: float
    stock_flop: float
    peak: float


def main(turns: int = typer.Option(15, min=3, help="How often each of the two has its turn, at each size.")) -> None:
    """Measure, and print the tables."""
    console = Console()
    for table in throughput_tables(turns):
        console.print(table)


def throughput_tables(turns: int = 15) -> list[Table]:
    """Measure, with a progress bar; return the tables of speed, of agreement and of memory."""
    with one_thread():
        measured = [compare(atoms, turns) for atoms in track(ATOMS, description="throughput", transient=True)]
        return [speed(measured), agreement(), memory()]


def crystals(atoms: int) -> list[Structure]:
    """Return perovskites with that many atoms in the cell, each displaced by 0.05 Å at random."""
    generator = np.random.default_rng(atoms)
    kinds = islice(cycle(_PEROVSKITES), _ATOMS_PER_TURN // atoms)
    return [_displaced(_perovskite(*kind) * ATOMS[atoms], generator) for kind in kinds]


def _perovskite(species: tuple[str, str, str], a: float) -> Structure:
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    return Structure.from_spacegroup("Pm-3m", Lattice.cubic(a), species, sites)


def _displaced(crystal: Structure, generator: np.random.Generator) -> Structure:
    moves = generator.normal(size=(len(crystal), 3))
    moves *= 0.05 / np.linalg.norm(moves, axis=1, keepdims=True)
    return Structure(crystal.lattice, crystal.species, crystal.cart_coords + moves, coords_are_cartesian=True)


def by_stock(structures: Sequence[Structure], batch: int = 16, weights: Weights = "0.3.0") -> Embeddings:
    """Return what stock CHGNet says."""
    network = stock(weights)
    with torch.inference_mode():
        graphs = [network.graph_converter(structure) for structure in structures]
        said = network.predict_graph(graphs, task="e", return_crystal_feas=True, batch_size=batch)
    said = [said] if isinstance(said, dict) else said  # so it is for a single graph
    energies = np.array([float(one["e"]) for one in said])
    return Embeddings(
        energies, np.array([one["crystal_fea"] / len(s) for one, s in zip(said, structures, strict=True)])
    )


def by_us(structures: Sequence[Structure], weights: Weights = "0.3.0") -> Embeddings:
    """Return what our evaluation says."""
    return ChgnetModel(weights).evaluate(structures)


@cache
def stock(weights: Weights) -> Any:
    """Return stock CHGNet."""
    from chgnet.model import CHGNet  # only where it is used, so that memory can be compared

    with contextlib.redirect_stdout(io.StringIO()):  # it prints its size
        return CHGNet.load(model_name=weights, use_device="cpu", verbose=False).eval()


def compare(atoms: int, turns: int) -> Comparison:
    """Measure both on crystals of so many atoms."""
    structures = crystals(atoms)
    count = len(structures)
    by_us(structures)
    by_stock(structures)
    batch = min(_BATCHES, key=lambda size: min(seconds(lambda: by_stock(structures, size)) for _ in range(2)))
    pairs = [(seconds(lambda: by_stock(structures, batch)), seconds(lambda: by_us(structures))) for _ in range(turns)]
    stock_time, our_time = np.array(pairs).T
    graphs = np.median([seconds(lambda: [crystal_graph(s, 6, 3) for s in structures]) for _ in range(turns)])
    return Comparison(
        atoms=atoms,
        batch=batch,
        stock=count / stock_time,
        ours=count / our_time,
        graphs=float(graphs / np.median(our_time)),
        flop=operations(lambda: by_us(structures)) / count,
        stock_flop=operations(lambda: by_stock(structures)) / count,
        peak=peak(turns),
    )


def seconds(function: Callable[[], object]) -> float:
    """Return how much processor time a call takes."""
    begun = time.process_time()
    function()
    return time.process_time() - begun


def operations(function: Callable[[], object]) -> float:
    """Return the operations of all matrix products in a call."""
    from torch.utils.flop_counter import FlopCounterMode  # 300 MiB, which would hide what the evaluation takes

    with FlopCounterMode(display=False) as counter:
        function()
    return float(counter.get_total_flops())


def peak(turns: int) -> float:
    """Return how many operations/s the core does at best on single-precision products as in the layers."""
    rows, inputs, outputs = _LAYER
    left, right, out = torch.rand(rows, inputs), torch.rand(inputs, outputs), torch.empty(rows, outputs)

    def products() -> None:
        for _ in range(50):
            torch.mm(left, right, out=out)

    return 50 * 2 * rows * inputs * outputs / min(seconds(products) for _ in range(turns))


def speed(measured: Sequence[Comparison]) -> Table:
    """Return the table of speeds: medians, and quartiles of the ratio over the turns; products are of matrices."""
    table = Table(title="CHGNet, energy and embedding, one thread, graphs included")
    table.add_column("figure")
    for each in measured:
        table.add_column(f"{each.atoms} atoms", justify="right")
    for name, figure in _SPEED:
        table.add_row(name, *(figure(each) for each in measured))
    return table


def agreement() -> Table:
    """Return the table of the largest differences, relative to an energy or to a vector's largest component."""
    table = Table(title="largest relative differences, on ideal and displaced crystals")
    table.add_column("weights")
    for heading in (
        "energy, ours and stock",
        "vector, ours and stock",
        "ours and double precision",
        "stock and double",
    ):
        table.add_column(heading, justify="right")
    structures = [*crystals(5)[:3], *crystals(20)[:3], *_ideal()]
    for weights in track(ALL_WEIGHTS, description="agreement", transient=True):
        ours, theirs = by_us(structures, weights), by_stock(structures, 1, weights)
        exact = in_double(structures, weights)
        energy = np.max(np.abs(ours.energy - theirs.energy) / np.abs(theirs.energy))
        pairs = ((ours.vectors, theirs.vectors), (ours.vectors, exact), (theirs.vectors, exact))
        table.add_row(weights, f"{energy:.0e}", *(f"{_apart(one, other):.0e}" for one, other in pairs))
    return table


def memory() -> Table:
    """Return the table of peak memory of processes that embed crystals of 40 atoms."""
    table = Table("code", "peak memory, MiB", title="a process that embeds crystals of 40 atoms, libraries included")
    for name, evaluate in (("stock, batches of 16", "by_stock"), ("ours", "by_us")):
        command = [sys.executable, "-W", "ignore", "-c", _MEMORY.format(evaluate=evaluate)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        table.add_row(name, f"{float(printed) / 2**20:.0f}")
    return table


def in_double(structures: Sequence[Structure], weights: Weights) -> NDArray[np.float64]:
    """Return the vectors of stock CHGNet in double precision, n x 64."""
    network = copy.deepcopy(stock(weights)).double()
    network.composition_model = None  # it makes single precision of everything
    with torch.inference_mode():
        return np.array([_vector_in_double(network, structure) for structure in structures])


def _vector_in_double(network: Any, structure: Structure) -> NDArray[np.float64]:
    graph = network.graph_converter(structure)
    graph.lattice = torch.tensor(structure.lattice.matrix)
    graph.atom_frac_coord = torch.tensor(structure.frac_coords)
    graph.neighbor_image = graph.neighbor_image.double()
    said = network.predict_graph(graph, task="e", return_crystal_feas=True)
    return np.asarray(said["crystal_fea"] / len(structure))


def _ideal() -> list[Structure]:
    """Return crystals whose bonds lie on straight lines, where angles are the least exact."""
    return [
        Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.21), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0, 0, 0]]),
    ]


def _apart(ours: NDArray[np.floating], theirs: NDArray[np.floating]) -> float:
    """Return the largest difference of vectors, n x d, in units of each one's largest component."""
    return float(np.max(np.abs(ours - theirs).max(axis=1) / np.abs(theirs).max(axis=1)))


def _median(values: NDArray[np.float64]) -> str:
    return f"{np.median(values):.0f}"


def _ratio(each: Comparison) -> str:
    q = quartiles(list(each.ours / each.stock))
    return f"{q.median:.2f} ({q.lower:.2f} to {q.upper:.2f})"


_SPEED: tuple[tuple[str, Callable[[Comparison], str]], ...] = (
    ("stock, structures/s", lambda each: f"{_median(each.stock)} (batches of {each.batch})"),
    ("ours, structures/s", lambda each: _median(each.ours)),
    ("ours over stock (quartiles)", _ratio),
    ("graphs, % of our time", lambda each: f"{100 * each.graphs:.0f}"),
    ("stock's products, MFLOP/structure", lambda each: f"{each.stock_flop / 1e6:.0f}"),
    ("our products, MFLOP/structure", lambda each: f"{each.flop / 1e6:.0f}"),
    ("the core's limit, GFLOP/s", lambda each: f"{each.peak / 1e9:.0f}"),
    ("stock, % of that limit", lambda each: f"{100 * _share(each.stock, each.stock_flop, each):.0f}"),
    ("ours, % of that limit", lambda each: f"{100 * _share(each.ours, each.flop, each):.0f}"),
)


def _share(rates: NDArray[np.float64], flop: float, each: Comparison) -> float:
    return float(np.median(rates) * flop / each.peak)


if __name__ == "__main__":
    start(main)
