"""``athanor surrogate``: train matgl's models on tables, and look at those that there are.

Nothing heavy is imported before a command is known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="Train graph networks on tables of structures, and look at those that there are.")


Network = Literal["megnet", "m3gnet", "tensornet"]

_DATA = Annotated[
    Path,
    typer.Option("--data", metavar="FILE", help="Table of structures with values: .csv, .csv.gz, .csv.xz or .parquet."),
]
_STRUCTURE = Annotated[
    str, typer.Option(metavar="COLUMN", help="The column that holds CIF, POSCAR or pymatgen's JSON.")
]
_MODEL = Annotated[Path, typer.Argument(metavar="FOLDER", help="The trained model's folder.")]
_MOST = Annotated[
    int | None, typer.Option("--max-rows", min=1, help="Use so many rows only, evenly spaced, to try things out.")
]


@app.command()
def train(
    data: _DATA,
    target: Annotated[
        str,
        typer.Option(metavar="COLUMN[UNIT]", help="The column to learn and its unit, as in 'gap[eV]'."),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to make for the trained model.")],
    model: Annotated[
        Network, typer.Option(help="The network: megnet is several times faster, the others are often more accurate.")
    ] = "megnet",
    structure: _STRUCTURE = "cif",
    epochs: Annotated[int, typer.Option(min=1, help="Most passes over the rows; it stops early.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split, the first weights and the order of rows.")] = 0,
    max_rows: _MOST = None,
    learning_curve: Annotated[
        bool, typer.Option("--learning-curve", help="Train on a quarter and a half of the rows too.")
    ] = False,
) -> None:
    """Train a matgl model on a table, and write it with its scores and a report into a folder of its own.

    A tenth of the rows is held out, and a tenth decides when to stop; no formula is in two of the parts.
    """
    from loop.cli.surrogate_commands import TrainRequest, train_model

    train_model(TrainRequest(data, target, out, structure, max_rows, model, epochs, seed, learning_curve))


@app.command("list")
def list_models(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to look, with all folders below.")] = Path(),
) -> None:
    """List trained models with their scores, and the pretrained ones that are on this machine."""
    from loop.cli.surrogate_commands import print_models

    print_models(folder)


@app.command()
def show(folder: _MODEL) -> None:
    """Show all that is known of a trained model: data, scores, intervals, versions."""
    from loop.cli.surrogate_commands import print_model

    print_model(folder)


@app.command()
def evaluate(
    folder: _MODEL,
    data: _DATA,
    target: Annotated[
        str | None,
        typer.Option(metavar="COLUMN[UNIT]", help="The column to compare with; without it, the one of the training."),
    ] = None,
    structure: _STRUCTURE = "cif",
    max_rows: _MOST = None,
) -> None:
    """Compare a trained model's predictions with the values of a table that it has not seen."""
    from loop.cli.surrogate_commands import EvaluateRequest, evaluate_model

    evaluate_model(EvaluateRequest(folder, data, target, structure, max_rows))
