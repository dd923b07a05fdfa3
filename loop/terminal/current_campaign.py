"""What ``athanor status`` says of the campaign as it is now: how far its rules are, and what was amended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from campaigns.campaign import Campaign, StoppingRuleConfig
from campaigns.objective import FindConfig
from campaigns.parsing.yaml_lines import read_document
from campaigns.spaces.parameters import ParameterConfig
from loop.core.formatting import one_line
from loop.core.records import TrialRecord
from loop.core.stopping_rules import RuleInputs, rule_progress
from loop.core.term_contributions import term_label
from loop.terminal.campaign_summary import parameter_text
from loop.terminal.console import Rows

if TYPE_CHECKING:
    from loop.storage.reader import Reader


_RULES: TypeAdapter[tuple[StoppingRuleConfig, ...]] = TypeAdapter(tuple[StoppingRuleConfig, ...])
_FIND: TypeAdapter[FindConfig] = TypeAdapter(FindConfig)


def stopping_rows(store: Reader, trials: Sequence[TrialRecord], first: int = 0) -> Rows:
    """Return each stopping rule with how far it is; the campaign is loaded only where a score is worked out anew.

    Args:
        store: of the campaign.
        trials: all trials, by number.
        first: number of the first trial that the current campaign holds for.
    """
    data = read_document(store.campaign().source).data
    find = _FIND.validate_python(data["objective"].get("find") or {"kind": "best"})
    given = RuleInputs(find, lambda: store.scored_campaign().build_objective(), trials, first)
    found = (rule_progress(rule, given) for rule in _RULES.validate_python(data.get("stopping") or ()))
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
