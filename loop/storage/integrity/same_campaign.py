"""Whether a store holds the campaign that is to go on, or another one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from sqlmodel import Session, select

from campaigns.amendments import Import
from campaigns.errors import StoreError
from campaigns.parsing.yaml_lines import read_document
from loop.core.campaign_records import CampaignRecord
from loop.core.fingerprint import MAY_CHANGE, changed_keys
from loop.core.proposals import IMPORTED
from loop.storage.tables import AmendmentRow, CampaignRow, TrialRow, amendment

_READ_BY = ("space", "metrics")
"""Sections of a campaign file that tell what a row of a table means."""


_MOST_KEYS = 12
"""Changed keys that a message lists."""


def keep_campaign(session: Session, campaign: CampaignRecord, path: Path) -> None:
    """Record the campaign of a new store, or check that it is the same."""
    row = session.get(CampaignRow, 1)
    if row is None:
        session.add(CampaignRow(id=1, **asdict(campaign)))
    elif row.fingerprint == campaign.fingerprint:
        row.source = campaign.source  # budget and stopping rules may have changed
    elif _has_begun(session):
        raise StoreError(_changed_message(row, campaign, path))
    elif (changed := _changed(row.source, campaign.source)) and _has_imported(session):
        raise StoreError(
            f"{path} holds measurements that were imported before the first trial, and the file has changed "
            f"since in {' and '.join(changed)}; put that back, or move {path.name} away and import them again"
        )
    else:
        row.name, row.source, row.seed = campaign.name, campaign.source, campaign.seed
        row.fingerprint = campaign.fingerprint


def _changed_message(row: CampaignRow, campaign: CampaignRecord, path: Path) -> str:
    """Return which keys of the file have changed since the campaign began, and what to do."""
    stored = CampaignRecord(row.name, row.source, row.seed, row.fingerprint, row.created)
    keys = changed_keys(stored, campaign) or ["nothing in its text: another version of Athanor read it differently"]
    shown = keys[:_MOST_KEYS] + ([f"{len(keys) - _MOST_KEYS} more"] if len(keys) > _MOST_KEYS else [])
    said = f"{path} holds campaign {row.name!r} with seed {row.seed}, and the file has changed since:"
    advice = (
        "change weights and bounds by 'athanor weights' and 'athanor space', or start another campaign with --store"
    )
    return "\n  ".join([said, *shown, f"may change: {MAY_CHANGE}; continue with the earlier file, {advice}"])


def _has_begun(session: Session) -> bool:
    """Return whether the campaign has changed, or proposed, anything by itself."""
    trials = session.exec(select(TrialRow)).all()
    journal = [amendment(row).change for row in session.exec(select(AmendmentRow)).all()]
    return not all(isinstance(change, Import) for change in journal) or any(
        row.proposal["generator"] != IMPORTED for row in trials
    )


def _has_imported(session: Session) -> bool:
    return session.exec(select(AmendmentRow)).first() is not None


def _changed(before: str, now: str) -> list[str]:
    """Return the sections, of those that measurements were read by, in which a campaign file's text has changed."""
    old, new = read_document(before).data, read_document(now).data
    return [name for name in _READ_BY if old.get(name) != new.get(name)]
