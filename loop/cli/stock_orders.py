"""What ``athanor consumable`` does: read the ledger beside a lab file, and write into it what people say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from campaigns.errors import suggestion
from campaigns.lab.lab_file import load_lab_file
from campaigns.lab.lab_rules import LabFileConfig
from campaigns.load import load_campaign
from campaigns.parsing.yaml_lines import read_document
from loop.core.author import author
from loop.service.amendment_parser import wrong
from loop.service.journal_editor import check_reason
from loop.storage.lab_files.stock_ledger import StockLedger
from loop.storage.paths import open_existing
from loop.terminal.console import new_table


def refill(said: tuple[str, str], file: Path | None, reason: str) -> Iterator[str]:
    """Write down that some of a consumable was added; yield how much there is now.

    Args:
        said: name of the consumable, and the amount.
        file: the lab file, or a campaign on it.
        reason: why.

    Raises:
        CampaignError: there is no such consumable, or it is no amount of it.
        LabError: the ledger cannot be written.
    """
    ledger, name, amount = _said(said, file, reason)
    now = ledger.refill(name, amount, (author(), reason))
    yield f"{name}: {now.text} now"


def count_stock(said: tuple[str, str], file: Path | None, reason: str) -> Iterator[str]:
    """Write down how much of a consumable is there; yield it. Arguments and errors are those of ``refill``."""
    ledger, name, amount = _said(said, file, reason)
    before = ledger.now()[name].text
    now = ledger.count(name, amount, (author(), reason))
    yield f"{name}: {now.text} now, {before} before"


def stock_table(file: Path | None) -> Table:
    """Return how much there is of each consumable of a lab file.

    Raises:
        CampaignError: there is no lab file, or it has none.
    """
    table = new_table("consumable", "there is", "reordered below", "")
    for name, one in _ledger(file).now().items():
        low = f"{one.reorder_at:.6g} {one.unit}".removesuffix(" 1")
        table.add_row(name, one.text, low, "" if one.low_since is None else "runs low")
    return table


def _said(said: tuple[str, str], file: Path | None, reason: str) -> tuple[StockLedger, str, float]:
    check_reason(reason)
    (name, given), ledger = said, _ledger(file)
    known = ledger.consumables
    if name not in known:
        raise wrong(name, f"is no consumable{suggestion(name, known)}; allowed: {', '.join(known)}")
    try:
        amount = known[name].read(given)
    except ValueError as error:
        raise wrong(name, str(error)) from error
    if amount < 0:
        raise wrong(name, f"got {given}; allowed: nothing below zero; 'athanor consumable count' says what is there")
    return ledger, name, amount


def _ledger(file: Path | None) -> StockLedger:
    rules = _rules(open_existing(None, None).path.with_suffix(".yaml") if file is None else file)
    if rules is None or not rules.consumables:
        where = "the campaign has no lab file" if rules is None else f"{rules.path} has none"
        raise wrong("consumables", f"{where}; needed: a lab file with consumables: {{LiOH: {{stock: 500 g}}}}")
    return StockLedger(rules.path, rules.consumables)


def _rules(file: Path) -> LabFileConfig | None:
    """Return a lab file, or that of a campaign."""
    try:
        data = read_document(file.read_text(encoding="utf-8")).data
    except (OSError, UnicodeDecodeError) as error:
        raise wrong(str(file), f"cannot be read: {error}") from error
    is_campaign = isinstance(data, dict) and "space" in data
    return load_campaign(file).rules if is_campaign else load_lab_file(file)
