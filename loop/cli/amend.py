"""The commands that change a campaign while it lives: ``athanor weights`` and ``space``."""

from __future__ import annotations

from typing import Annotated

import typer

from loop.cli.arguments import Reason, Url, command_group, say, signed, words_of

weights = command_group("weights", "Weigh the terms of the score anew.")
space = command_group("space", "Change what may be chosen from now on.")


@weights.command("set")
@signed
def set_weights(words: Annotated[list[str], words_of("METRIC=WEIGHT...")], reason: Reason, store: Url = None) -> None:
    """Give terms of the score other weights: past trials are ranked anew at once, and so is what comes next."""
    from loop.service.amendment_parser import pairs
    from loop.service.journal_editor import amend, open_journal_editor, split_file_argument

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    say(amend(editor, editor.parser.weights(pairs(rest))))


@space.command("set")
@signed
def set_bounds(words: Annotated[list[str], words_of("NAME=LOW..HIGH...")], reason: Reason, store: Url = None) -> None:
    """Give numbers other bounds, such as 'temperature=600..900 degC' or 'time=..24 h'."""
    from loop.service.amendment_parser import pairs
    from loop.service.journal_editor import amend, open_journal_editor, split_file_argument

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    say(amend(editor, editor.parser.bounds(pairs(rest))))


@space.command()
@signed
def fix(words: Annotated[list[str], words_of("NAME=VALUE...")], reason: Reason, store: Url = None) -> None:
    """Fix parameters at one value, such as atmosphere=oxygen."""
    from loop.service.amendment_parser import pairs
    from loop.service.journal_editor import amend, open_journal_editor, split_file_argument

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    say(amend(editor, editor.parser.fixed(pairs(rest))))


@space.command()
@signed
def release(words: Annotated[list[str], words_of("NAME...")], reason: Reason, store: Url = None) -> None:
    """Release fixed parameters."""
    from loop.service.journal_editor import amend, open_journal_editor, split_file_argument

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    say(amend(editor, editor.parser.released(rest)))


@space.command()
@signed
def add(
    words: Annotated[list[str], words_of("NAME=LEVEL...")],
    reason: Reason,
    descriptor: Annotated[
        list[str] | None, typer.Option(metavar="PROPERTY=VALUE", help="A descriptor of the new level; may be repeated.")
    ] = None,
    store: Url = None,
) -> None:
    """Add a level to a categorical or an ordinal parameter, such as atmosphere=nitrogen."""
    from loop.service.amendment_parser import pairs
    from loop.service.journal_editor import amend, open_journal_editor, split_file_argument

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    say(amend(editor, editor.parser.level(pairs(rest), pairs(descriptor or []))))


@space.command()
@signed
def remove(words: Annotated[list[str], words_of("NAME=LEVEL...")], reason: Reason, store: Url = None) -> None:
    """Remove a level of a categorical or an ordinal parameter, such as atmosphere=nitrogen."""
    from loop.service.amendment_parser import pairs
    from loop.service.journal_editor import amend, open_journal_editor, split_file_argument

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    say(amend(editor, editor.parser.removed_level(pairs(rest))))
