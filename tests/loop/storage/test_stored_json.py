import json
import math

import numpy as np
import pytest

from loop.storage.stored_json import dump_json, load_json


def strict(text: str) -> None:
    """Read JSON as other programs do, which know no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(text, parse_constant=refuse)


def test_numbers_that_are_not_finite_are_valid_json_and_come_back() -> None:
    value = {"counts": np.array([1.0, math.nan, math.inf]), "pair": (-math.inf, "nan"), "note": b"ok", "none": None}
    strict(dump_json(value))
    found = load_json(dump_json(value))
    assert found["counts"][0] == 1.0
    assert math.isnan(found["counts"][1])
    assert found["counts"][2] == math.inf
    assert found["pair"] == [-math.inf, "nan"]
    assert (found["note"], found["none"]) == ("ok", None)


def test_what_an_earlier_version_wrote_is_still_read() -> None:
    assert math.isnan(load_json('{"counts": [NaN]}')["counts"][0])


@pytest.mark.parametrize("value", [object(), [object(), math.nan]])
def test_what_json_has_no_place_for_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="cannot store object"):
        dump_json(value)
