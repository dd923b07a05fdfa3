"""The commands about consumables: ``athanor consumable``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loop.cli.arguments import Reason, command_group, say, signed

consumable = command_group("consumable", "Say what there is of what steps use up.")

_NAME = Annotated[str, typer.Argument(metavar="NAME", help="Name of the consumable.")]
_AMOUNT = Annotated[str, typer.Argument(metavar="AMOUNT", help="Such as '500 g', or 12 of what is counted in pieces.")]
_FILE = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="The lab file, or a campaign on it; without it, the folder's one campaign."),
]


@consumable.command("list")
def list_consumables(file: _FILE = None) -> None:
    """List how much there is of each consumable, and below what it is reordered."""
    from loop.cli.stock_orders import stock_table
    from loop.terminal.console import print_tables

    print_tables(stock_table(file))


@consumable.command("refill")
@signed
def say_refilled(name: _NAME, amount: _AMOUNT, reason: Reason, file: _FILE = None) -> None:
    """Say that so much of a consumable was added."""
    from loop.cli.stock_orders import refill

    say(refill((name, amount), file, reason))


@consumable.command("count")
@signed
def say_counted(name: _NAME, amount: _AMOUNT, reason: Reason, file: _FILE = None) -> None:
    """Say how much of a consumable is there, whatever was reckoned."""
    from loop.cli.stock_orders import count_stock

    say(count_stock((name, amount), file, reason))
