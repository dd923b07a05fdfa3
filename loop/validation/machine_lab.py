"""Whether a campaign goes by the lab file of the machine, which whoever looks after the laboratory has named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from campaigns.campaign import Campaign
from campaigns.errors import Problem

VARIABLE = "ATHANOR_LAB"
"""Environment variable that names the lab file of all real stations of a machine."""

_REAL = ("real", "custom")


def past_machine_lab(campaign: Campaign) -> Iterator[Problem]:
    """Yield that a campaign with real stations goes past the lab file of the machine, where one is named."""
    named = os.environ.get(VARIABLE)
    if not named or campaign.lab.kind not in _REAL:
        return
    used = None if campaign.rules is None else campaign.rules.path
    if used is None or used.resolve() != Path(named).expanduser().resolve():
        got = "no lab file" if used is None else str(used)
        message = f"got {got}; allowed on this machine: lab: {{kind: file, path: {named}}}, as {VARIABLE} says"
        yield Problem("lab", message)
