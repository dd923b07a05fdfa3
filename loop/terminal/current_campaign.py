"""What ``athanor status`` says of the campaign as it is now: how far its rules are, and what was amended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from campaigns.campaign import Campaign
from campaigns.spaces.parameters import ParameterConfig
from loop.core.campaign_version import CampaignVersion
from loop.core.formatting import one_line
from loop.core.records import TrialRecord
from loop.core.stopping_rules import rule_progress
from loop.core.term_contributions import term_label
from loop.terminal.campaign_summary import parameter_text
from loop.terminal.console import Rows


def stopping_rows(now: CampaignVersion, trials: Sequence[TrialRecord]) -> Rows:
    """Return each stopping rule with how far it is."""
    found = (rule_progress(rule, now.campaign, trials, now.first) for rule in now.campaign.stopping)
    return [("stopping rule", f"{one.rule}; so far: {one.so_far}") for one in found]


def amended_rows(file: Campaign, now: Campaign) -> Rows:
    """Return the weights and the parameters that are no longer those of the campaign file."""
    rows = [("weights now", f"{_weights(now)} (in the file: {_weights(file)})")]
    return [*(rows if now.objective != file.objective else []), *_space_rows(file, now)]


def _weights(campaign: Campaign) -> str:
    """Return the weight of each term."""
    return ", ".join(f"{term_label(term)} {term.weight:g}" for term in campaign.objective.terms)


def _space_rows(file: Campaign, now: Campaign) -> Iterator[tuple[str, str]]:
    before: dict[str, ParameterConfig] = dict(file.space.parameters)
    for name, parameter in now.space.parameters.items():
        if parameter != before[name]:
            text = f"{name}: {parameter_text(parameter)} (in the file: {parameter_text(before[name])})"
            yield "space now", one_line(text)
