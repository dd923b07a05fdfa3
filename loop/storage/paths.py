"""Where things are: the store beside the campaign file, and the ready campaigns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from campaigns.errors import StoreError

if TYPE_CHECKING:
    from loop.storage.journal_writer import Journal
    from loop.storage.reader import Reader

_READY = Path(__file__).parents[2] / "campaigns"
_LAB = "_lab"
"""How the names of lab files end that lie beside the ready campaigns."""
SCHEMA = _READY / "schema.json"


def ready_campaigns() -> dict[str, Path]:
    """Return the campaigns that come with Athanor, name to file."""
    return {path.stem: path for path in sorted(_READY.glob("*.yaml")) if not path.stem.endswith(_LAB)}


def default_store(campaign: Path) -> str:
    """Return the URL of the store beside a campaign file."""
    return f"sqlite:///{campaign.absolute().with_suffix('.db')}"


def open_existing(file: Path | None, url: str | None) -> Reader:
    """Open a store that is there.

    Args:
        file: the campaign file; None for the only one in this folder that has a store.
        url: the store's URL, which wins over the file.

    Raises:
        StoreError: there is no such store, or the choice is not clear.
    """
    from loop.storage.reader import Reader

    return Reader(url or default_store(file or _only_campaign(Path.cwd())))


def open_journal(file: Path | None, url: str | None) -> Journal:
    """Open the journal of a store that is there; see ``open_existing``."""
    from loop.storage.journal_writer import Journal

    return Journal(url or default_store(file or _only_campaign(Path.cwd())))


def started_campaigns(folder: Path) -> list[Path]:
    """Return the campaign files in a folder that have a store beside them."""
    return [file for file in _campaign_files(folder) if file.with_suffix(".db").exists()]


def _campaign_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])


def _only_campaign(folder: Path) -> Path:
    files, started = _campaign_files(folder), started_campaigns(folder)
    if len(started) == 1:
        return started[0]
    if started:
        raise StoreError(f"several campaigns have a store: {_names(started)}; name one: athanor status FILE")
    raise StoreError(f"no campaign here has a store (campaign files: {_names(files)}); name one, or run one first")


def _names(files: list[Path]) -> str:
    return ", ".join(file.name for file in files) or "none"
