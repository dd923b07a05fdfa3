import csv

import pytest

from campaigns.values import Scalar
from simulators.sintering import REFERENCE, SEED, sintered
from simulators.sintering_tables import FOLDER, NOTEBOOK, OLD, TOO_HOT, Program, rows

ONE: dict[str, Scalar] = {
    "schedule": "one_step",
    "temperature": REFERENCE - 273.15,
    "hold": 0.3,
    "second_temperature": 1250.0,
    "second_hold": 20.0,
}


def test_half_of_the_shrinkage_is_where_the_master_curve_has_it() -> None:
    assert sintered(ONE)["density"] == pytest.approx(0.75)


def test_what_is_long_and_cool_has_smaller_grains_at_the_same_density() -> None:
    hot, cool = (
        sintered(ONE | {"temperature": 1450.0, "hold": 1.0}),
        sintered(ONE | {"temperature": 1350.0, "hold": 14.0}),
    )
    assert hot["density"] == pytest.approx(cool["density"], abs=0.02)
    assert cool["grain_size"] < 0.9 * hot["grain_size"]


def test_a_second_hold_counts_only_in_two_steps_and_closes_only_small_pores() -> None:
    assert sintered(ONE) == sintered(ONE | {"second_hold": 1.0})
    two = ONE | {"schedule": "two_step", "temperature": 1370.0, "hold": 2.0}
    gained = sintered(two)["density"] - sintered(two | {"second_hold": 0.0})["density"]
    early = two | {"temperature": 1250.0}
    lost = sintered(early)["density"] - sintered(early | {"second_hold": 0.0})["density"]
    assert gained > 0.01 > 10 * lost
    assert sintered(early)["grain_size"] > SEED


@pytest.mark.parametrize(
    ("name", "programs", "hotter", "seed"), [("old_furnace", OLD, TOO_HOT, 1), ("notebook", NOTEBOOK, 0.0, 2)]
)
def test_the_committed_tables_are_those_of_the_script(
    name: str, programs: tuple[Program, ...], hotter: float, seed: int
) -> None:
    with (FOLDER / f"sintering_{name}.csv").open(newline="", encoding="utf-8") as file:
        _, *found = csv.reader(file)
    assert found == [[str(one) for one in row] for row in rows(programs, hotter, seed)]
