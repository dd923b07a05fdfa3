from functools import partial
from pathlib import Path

import pytest

from campaigns.analysis_settings import SETTINGS
from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, UnitError
from campaigns.load import parse_campaign
from campaigns.radiation import radiation
from campaigns.user_code.dotted_paths import SHIPPED, Use
from instruments.signal_units import declared_units
from loop.execution.laboratory.lab_setup import load_analysis


@pytest.mark.parametrize(
    "text",
    [
        "CuKa", "Cu", "cu ka", "Cu Kα", "Cu K-alpha", "CuK_alpha", "Cu Kα1,2", "CuKa1+2", "CuKα12", "Cu Kα₁,₂",
        "Cu Kα1/Kα2", "Cu Kα1 + Kα2", "CuKa1,CuKa2", "Cu K-Alpha 1 and 2",
    ],
)  # fmt: skip
def test_a_tube_has_two_lines_however_it_is_written(text: str) -> None:
    assert radiation(text).wavelengths == (1.540593, 1.544427)
    assert sum(radiation(text).shares) == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["CoKa1", "Co Kα1", "Co Kα₁", "co k-alpha 1", "CoK_alpha1", "CoKα_1"])
def test_a_stripped_tube_has_one(text: str) -> None:
    assert radiation(text).wavelengths == (1.788996,)


@pytest.mark.parametrize(
    "given",
    [0.4133, "0.4133", "0.4133 Å", "0.04133 nm", "29.9986 keV", "29998.6 eV", "0.4133 A", "0.4133A", "0.4133 Angstrom"],
)
def test_wavelengths_and_energies_are_converted(given: float | str) -> None:
    assert radiation(given).wavelengths == pytest.approx((0.4133,), rel=1e-4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("UKa", "allowed: CrKa, FeKa, CoKa, CuKa, MoKa, AgKa"),
        ("CuKb", "allowed: CrKa"),
        ("CuKa2", "K-alpha-2 alone; allowed: CuKa, CuKa1"),
        (15.4, "allowed: 0.05 to 5 Å"),
        ("0 keV", "allowed: 0.05 to 5 Å"),
        ("3 s", "which is a time"),
        (True, "a tube such as CuKa"),
    ],
)
def test_what_is_no_radiation_is_refused(given: str | float | bool, message: str) -> None:
    with pytest.raises(UnitError, match=message):
        radiation(given)


CATHODE = (Path(__file__).parents[2] / "campaigns" / "cathode.yaml").read_text(encoding="utf-8")
DIFFRACTION = "    analysis: instruments.analyses.diffraction:phase_fraction\n"
DISCHARGE = "    analysis: instruments.analyses.galvanostatic:discharge\n"


def campaign_with(settings: str, analysis: str = DIFFRACTION) -> Campaign:
    return parse_campaign(CATHODE.replace(analysis, f"{analysis}    analysis_settings: {settings}\n"), "cathode.yaml")


def test_settings_reach_the_analysis() -> None:
    step = campaign_with("{radiation: CoKa, exclude: [[37, 38.5]]}").step("diffract")

    analysis = load_analysis(step)
    assert isinstance(analysis, partial)
    assert analysis.keywords == {"radiation": "CoKa", "exclude": [[37, 38.5]]}
    assert declared_units(load_analysis(step)) == {"two_theta": "deg", "wavelength": "angstrom"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{radiation: UKa}", r"cathode.yaml:59: workflow\[1\].analysis_settings.radiation: got 'UKa'; allowed: CrKa"),
        ("{radiaton: CoKa}", "unknown setting, did you mean 'radiation'"),
        ("{radiation: 3 s}", "which is a time"),
        ("{exclude: [[40, 38]]}", "got 40 to 38 deg; allowed: the lower angle first"),
        ("{exclude: 38}", r"allowed: ranges of 2 theta in deg, such as \[\[37, 38.5\]\]"),
    ],
)
def test_wrong_settings_are_refused_with_their_line(settings: str, message: str) -> None:
    with pytest.raises(CampaignError, match=message):
        campaign_with(settings)


def test_an_analysis_without_settings_says_so() -> None:
    with pytest.raises(CampaignError, match=r"analysis_settings\.radiation: unknown setting; allowed: none"):
        campaign_with("{radiation: CoKa}", DISCHARGE)


def test_each_ready_analysis_tells_its_settings() -> None:
    assert set(SETTINGS) == SHIPPED[Use.ANALYSIS]
