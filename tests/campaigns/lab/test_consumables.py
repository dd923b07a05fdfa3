"""What steps use up, as a lab file and a campaign say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from campaigns.errors import CampaignError
from campaigns.lab.consumables import ConsumableConfig, used_amount
from tests.loop.sampled import loaded, sampled

SALT = ConsumableConfig.model_validate({"stock": "500 g", "reorder_at": "0.05 kg"})
CRUCIBLES = ConsumableConfig.model_validate({"stock": 12})


@pytest.mark.parametrize(
    ("config", "given", "used"),
    [(SALT, "2000 mg", 2.0), (SALT, 2, 2.0), (SALT, "1 + 2 * dose", 7.0), (SALT, "1 - dose", 0.0), (CRUCIBLES, 1, 1.0)],
)
def test_an_amount_is_a_quantity_or_a_sum_of_parameters(
    config: ConsumableConfig, given: float | str, used: float
) -> None:
    assert used_amount(config, given, {"dose": 3.0, "gas": "air"}) == pytest.approx(used)


@pytest.mark.parametrize("wrong", [{"stock": "-1 g"}, {"stock": "1 g", "reorder_at": "1 mL"}, {"stock": "much"}, {}])
def test_a_stock_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ConsumableConfig.model_validate(wrong)


@pytest.mark.parametrize(
    ("uses", "why"),
    [
        ({"salt": "2 g", "crucible": 1}, ""),
        ({"salt": "2 + 300 * x"}, ""),
        ({"sal": "2 g"}, "unknown consumable 'sal', did you mean 'salt'"),
        ({"salt": "2 mL"}, "workflow[0].uses.salt"),
        ({"salt": "2 + z"}, "unknown name 'z'"),
        ({"salt": "-2 g"}, "nothing below zero"),
        ({"salt": "600 g"}, "it could never begin"),
        ({"salt": "600 + 2 * x"}, "it could never begin"),
    ],
)
def test_a_campaign_that_uses_what_is_not_there_is_refused(uses: dict[str, Any], why: str, tmp_path: Path) -> None:
    consumables = {"salt": {"stock": "500 g"}, "crucible": {"stock": 12}}
    data = sampled(tmp_path, {}, file={"consumables": consumables})
    data["workflow"][0]["uses"] = uses
    try:
        loaded(data, tmp_path)
        said = ""
    except (CampaignError, ValidationError) as error:
        said = str(error)
    assert why in said
    assert bool(why) == bool(said)
