"""The commands about a laboratory that several campaigns share: ``athanor lab``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loop.cli.arguments import command_group, say

lab = command_group("lab", "Own the instruments of a lab file, for several campaigns at once.")

_LabFile = Annotated[Path, typer.Argument(metavar="LAB.yaml", help="The lab file.")]


@lab.command("run")
def own_lab(file: _LabFile) -> None:
    """Own the instruments of a lab file: runs of campaigns on it attach, and get stations in turn.

    Ctrl-C once, or 'athanor lab stop', begins no more jobs and ends after those under way; Ctrl-C twice gives them up.
    """
    from loop.cli.lab_orders import serve_lab

    serve_lab(file)


@lab.command("status")
def show_lab(file: _LabFile) -> None:
    """Show what the stations of a lab file do, which campaign has which, who waits, and how the time was shared."""
    from loop.cli.lab_orders import lab_rows
    from loop.terminal.console import print_rows

    print_rows(lab_rows(file))


@lab.command("stop")
def end_lab(file: _LabFile) -> None:
    """Let the lab process begin no more jobs, and end after those under way; campaigns wait until it runs again."""
    from loop.cli.lab_orders import stop_lab

    say(stop_lab(file))
