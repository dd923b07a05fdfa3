"""What ``athanor trial tell`` and ``sheet`` do: take results by words or a table, and write a table for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from loop.service.amendment_parser import pairs, wrong
from loop.service.journal_editor import numbers, open_journal_editor, split_file_argument
from loop.service.told_results import ToldResult, results_of, tell
from loop.service.trial_sheet import PRINTED, trial_sheet, write_sheet


def tell_all(words: Sequence[str], table: Path | None, url: str | None, reason: str) -> Iterator[str]:
    """Take the results of trials; return what there is to say.

    Args:
        words: number of a trial, its metrics as METRIC=VALUE, and the campaign file.
        table: of results, in the place of number and metrics.
        url: of the store, or None.
        reason: what is to be remembered of it.

    Raises:
        CampaignError: a word, a cell or a trial is none that is allowed.
    """
    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, url, reason)
    if table is not None:
        if rest:
            raise wrong(" ".join(rest), "is given beside --from; allowed: one of them")
        return tell(editor, results_of(table, editor.campaign))
    chosen = numbers([word for word in rest if "=" not in word])
    if len(chosen) != 1:
        raise wrong("", f"got {len(chosen)} trials; allowed: the number of one, such as 3, or --from TABLE for several")
    return tell(editor, [ToldResult(chosen[0], pairs([word for word in rest if "=" in word]))])


def write_open_trials(words: Sequence[str], out: Path | None, url: str | None) -> Iterator[str]:
    """Write what people are to do as a sheet; yield what there is to say.

    Args:
        words: the campaign file, if it is named.
        out: where to write it; NAME.sheet.csv in the current folder if None.
        url: of the store, or None.

    Raises:
        CampaignError: a word is none that is allowed, nobody is to do anything, or the sheet exists.
        TableError: the library for its format is not installed.
    """
    rest, file = split_file_argument(words)
    if rest:
        raise wrong(" ".join(rest), "is not understood; allowed: the campaign file, and --out SHEET")
    editor = open_journal_editor(file, url, "a sheet is written")
    sheet, path = trial_sheet(editor), out or Path(f"{editor.campaign.name}.sheet.csv")
    write_sheet(sheet, path)
    printed = path.suffix.lower() == PRINTED
    how = "for each line: 'athanor trial tell TRIAL METRIC=VALUE'"
    how = how if printed else f"fill it in, then 'athanor trial tell --from {path}'"
    yield f"{path} written: {len(sheet.rows)} to do; {how}"
