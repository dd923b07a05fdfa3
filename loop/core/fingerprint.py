"""What tells one campaign from another: all that determines its trials."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from campaigns.campaign import Campaign
from loop.core.campaign_records import CampaignRecord

_NOT_IN_IT: Mapping[str, Any] = {
    **dict.fromkeys(("description", "budget", "stopping", "history", "lab"), True),
    "workflow": {"__all__": {"timeout"}},
    "metrics": {"__all__": {"plausible"}},
}
"""What may change while a campaign lives, as no candidate is chosen by it; what has its default changes nothing.

What was imported of the history stands in the store."""


def campaign_record(campaign: Campaign, source: str) -> CampaignRecord:
    """Return what the store keeps of a campaign."""
    decisive = campaign.model_dump(mode="json", exclude=dict(_NOT_IN_IT), exclude_defaults=True)
    fingerprint = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
    return CampaignRecord(campaign.name, source, campaign.seed, fingerprint, time.time())
