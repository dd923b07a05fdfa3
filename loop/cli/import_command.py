"""What ``athanor trial import`` does: read a table, write what is new of it into the journal, and make trials of it.

While another process runs the campaign, that one makes the trials, before its next proposal; else this one does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from campaigns.errors import StoreInUseError
from campaigns.load import load_campaign, read_text
from campaigns.relative_paths import PARENT
from campaigns.warm_start import StoreSourceConfig, TableSourceConfig
from loop.core.author import author
from loop.core.campaign_version import as_shown, campaign_version
from loop.core.fingerprint import campaign_record
from loop.core.formatting import change_text, since_text
from loop.core.journal import Amendment, changes_of
from loop.execution.trial_import import apply_import, computed_of, waiting_imports
from loop.service.amendment_parser import wrong
from loop.service.journal_editor import JournalEditor, check_reason, open_journal_editor
from loop.storage.artefacts import HISTORY
from loop.storage.external_measurements import news, read_measurements
from loop.storage.paths import default_store
from loop.storage.reader import store_path
from loop.storage.store import Store

if TYPE_CHECKING:
    from loop.planning.pool_data import PoolData

_ENDINGS = (".yaml", ".yml")


def split_table_argument(words: list[str]) -> tuple[Path, Path | None]:
    """Return the table and the campaign file among the words of the command."""
    files = [Path(word) for word in words if word.endswith(_ENDINGS)]
    tables = [Path(word) for word in words if not word.endswith(_ENDINGS)]
    if len(tables) != 1 or len(files) > 1:
        raise wrong("", f"got {' '.join(words)}; allowed: one table, and the campaign file if there are several")
    return tables[0], files[0] if files else None


def import_table(table: Path, file: Path | None, url: str | None, reason: str) -> Iterator[str]:
    """Make trials of what is new in a table; yield what there is to say.

    Raises:
        CampaignError: the table cannot be read, or rows of it that were imported are gone; or no reason is given.
        StoreError: there is neither a store nor a campaign file to begin one with.
    """
    check_reason(reason)
    if file is not None and not store_path(url or default_store(file)).exists():
        _begin(table, file, url or default_store(file))
    editor = open_journal_editor(file, url, reason)
    amendments, materials = editor.journal.amendments(), _materials(editor)
    campaign = as_shown(editor.campaign, amendments)
    lacks = None if materials is None else materials.pool.lacks
    found = read_measurements(_config(table, editor.folder), campaign, "TABLE", lacks)
    yield from found.text
    editor.journal.keep(HISTORY, found.table, {"tally": found.text})
    new = news(found, amendments, editor.journal.trials())
    yield from new.text
    if new.changes:
        editor.journal.amend(new.changes, (author(), editor.reason), {})
    yield from _taken(editor, materials)


def _begin(table: Path, file: Path, url: str) -> None:
    """Begin the store of a campaign before its first run, if the table can be read."""
    campaign = load_campaign(file)
    read_measurements(_config(table, file.absolute().parent), campaign, "TABLE", None)
    store = Store(url)
    store.create_campaign(campaign_record(campaign, read_text(file)))
    store.close("")


def _materials(editor: JournalEditor) -> PoolData | None:
    if editor.campaign.space.pool is None:
        return None
    from loop.planning.pool_data import load_pool_data  # slow, and only for campaigns with a pool

    return load_pool_data(editor.campaign)


def _config(table: Path, folder: Path) -> StoreSourceConfig | TableSourceConfig:
    """Return the table as a campaign file in a folder would name it."""
    kind = StoreSourceConfig if table.suffix == ".db" else TableSourceConfig
    data = {"kind": "store" if table.suffix == ".db" else "table", "name": "imported", "file": str(table.absolute())}
    return kind.model_validate(data, context={PARENT: folder})


def _taken(editor: JournalEditor, materials: PoolData | None) -> Iterator[str]:
    """Make trials of all that waits to be imported, unless a run does that; yield what was done."""
    journal = editor.journal.amendments()
    if not waiting_imports(journal):
        return
    if any(one.waiting for one in journal if changes_of([one])):
        yield "they will be trials as soon as a run has taken over the amendments before them"
        return
    try:
        store = Store(f"sqlite:///{editor.journal.path}")
    except StoreInUseError:
        yield "the run that goes on makes trials of them before its next proposal"
        return
    try:
        for one in waiting_imports(store.amendments()):  # a run may have made them meanwhile
            done = _take(store, editor, one, materials)
            yield f"amendment {done.number}: {change_text(editor.campaign, done.change)}, {since_text(done)}"
    finally:
        store.close("")


def _take(store: Store, editor: JournalEditor, one: Amendment, materials: PoolData | None) -> Amendment:
    lab = max((change.lab for change in store.transitions()), default=0.0)
    return apply_import(store, one, campaign_version(editor.campaign, store.amendments()), computed_of(materials), lab)
