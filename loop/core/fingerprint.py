"""What tells one campaign from another: all that determines its trials."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from textwrap import shorten
from typing import Any

from campaigns.campaign import Campaign
from campaigns.parsing.yaml_lines import read_document
from loop.core.campaign_records import CampaignRecord

_NOT_IN_IT: Mapping[str, Any] = {
    **dict.fromkeys(("description", "budget", "stopping", "history", "lab", "requests", "subscribers"), True),
    "workflow": {"__all__": {"timeout", "analysis_timeout", "analysis_settings"}},
    "metrics": {"__all__": {"plausible"}},
}
"""What may change while a campaign lives, as no candidate is chosen by it; what has its default changes nothing.

What was imported of the history stands in the store, and so does what an analysis gave by its earlier settings."""

MAY_CHANGE = (
    "description, budget, stopping, history, lab, requests, subscribers, timeout, analysis_timeout and "
    "analysis_settings of a step, plausible of a metric"
)
"""The same, in words."""

_ABSENT = "absent"
_LONGEST_VALUE = 60  # characters of a value in a message


def changed_keys(before: CampaignRecord, now: CampaignRecord) -> list[str]:
    """Return the keys by which two campaign files differ in more than may change, each before and now, in words."""
    old, new = (dict(_leaves(read_document(one.source).data)) for one in (before, now))
    keys = [key for key in dict.fromkeys((*old, *new)) if old.get(key, _ABSENT) != new.get(key, _ABSENT)]
    found = [_difference(key, old, new) for key in keys if not _may_change(key)]
    if before.seed != now.seed and ("seed",) not in keys:  # --seed
        found.append(_difference(("seed",), {("seed",): before.seed}, {("seed",): now.seed}))
    return found


_Key = tuple[str | int, ...]


def _leaves(data: Any, key: _Key = ()) -> Iterator[tuple[_Key, Any]]:
    """Yield key path and value of all that is neither a mapping nor a list, and of what is empty."""
    if data and isinstance(data, Mapping | list):
        for name, value in data.items() if isinstance(data, Mapping) else enumerate(data):
            yield from _leaves(value, (*key, name))
    else:
        yield key, data


def _may_change(key: _Key) -> bool:
    section, last = _NOT_IN_IT.get(str(key[0])), key[2] if len(key) > 2 else ""
    return section is True or (section is not None and last in section["__all__"])


def _difference(key: _Key, old: Mapping[_Key, Any], new: Mapping[_Key, Any]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")
    values = [shorten(str(one.get(key, _ABSENT)), _LONGEST_VALUE, placeholder=" ...") for one in (old, new)]
    return f"{path}: {values[0]} before, {values[1]} now"


def campaign_record(campaign: Campaign, source: str) -> CampaignRecord:
    """Return what the store keeps of a campaign."""
    elsewhere = {} if campaign.rules is None else {"stations": True}  # a lab file may name other addresses
    decisive = campaign.model_dump(mode="json", exclude={**_NOT_IN_IT, **elsewhere}, exclude_defaults=True)
    fingerprint = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
    return CampaignRecord(campaign.name, source, campaign.seed, fingerprint, time.time())
