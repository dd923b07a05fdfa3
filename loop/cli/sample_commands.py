"""The commands about samples: ``athanor sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loop.cli.arguments import Reason, Url, command_group, say, signed, words_of

sample = command_group("sample", "List samples, and say what was done with them.")

_File = Annotated[Path | None, typer.Argument(metavar="FILE", help="The campaign file.")]


@sample.command("list")
def list_samples(file: _File = None, store: Url = None) -> None:
    """List the samples of a campaign: mass, position, bar code, and what became of them."""
    from loop.storage.paths import open_existing
    from loop.terminal.console import print_tables
    from loop.terminal.sample_view import samples_table

    print_tables(samples_table(open_existing(file, store)))


@sample.command("show")
def show_sample(
    sample: Annotated[
        str, typer.Argument(metavar="SAMPLE", help="Its id, such as 3, or 3.1 for a part; or its bar code.")
    ],
    file: _File = None,
    store: Url = None,
) -> None:
    """Show the history of a sample: made, moved, consumed, split, lost, by which step or person, and when."""
    from loop.storage.paths import open_existing
    from loop.terminal.console import print_rows
    from loop.terminal.sample_view import sample_rows

    print_rows(sample_rows(open_existing(file, store), sample))


@sample.command("move")
@signed
def say_moved(words: Annotated[list[str], words_of("SAMPLE POSITION")], reason: Reason, store: Url = None) -> None:
    """Say that a sample lies at another position now, such as 3 tray."""
    from loop.cli.sample_orders import move_sample

    say(move_sample(words, store, reason))


@sample.command("describe")
@signed
def say_described(
    words: Annotated[list[str], words_of("SAMPLE [mass=VALUE] [barcode=TEXT]")], reason: Reason, store: Url = None
) -> None:
    """Say what a sample weighs, and which bar code it has, such as 3 'mass=18.2 mg' barcode=A17.

    From then on the bar code stands for the sample in these commands, too.
    """
    from loop.cli.sample_orders import describe_sample

    say(describe_sample(words, store, reason))


@sample.command("split")
@signed
def say_split(words: Annotated[list[str], words_of("SAMPLE PARTS")], reason: Reason, store: Url = None) -> None:
    """Say that a sample was divided into equal parts, such as 3 2; the first part goes on."""
    from loop.cli.sample_orders import split_sample

    say(split_sample(words, store, reason))


@sample.command("lost")
@signed
def say_lost(words: Annotated[list[str], words_of("SAMPLE")], reason: Reason, store: Url = None) -> None:
    """Say that a sample is lost; a trial that has no other one, and is not completed, is discarded."""
    from loop.cli.sample_orders import lose_sample

    say(lose_sample(words, store, reason))
