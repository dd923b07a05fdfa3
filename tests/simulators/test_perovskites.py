import pytest

from campaigns.errors import LabError, SampleError
from simulators.perovskite_table import TABLE, crystals, rows
from simulators.perovskites import MeanIons, band_gap, film, tolerance_factor

MEASURED = {
    "CsPbI3": 1.73,  # Eperon et al., J. Mater. Chem. A 3, 19688 (2015)
    "CsPbBr3": 2.3,  # Stoumpos et al., Cryst. Growth Des. 13, 2722 (2013)
    "CsPbCl3": 2.98,  # Heidrich et al., phys. stat. sol. (b) 105, 123 (1981)
    "CsSnI3": 1.30,  # Chung et al., J. Am. Chem. Soc. 134, 8579 (2012)
    "CsSnBr3": 1.75,  # Gupta et al., ACS Energy Lett. 1, 1028 (2016)
    "CsSnCl3": 2.8,  # Peedikakkandy, Bhargava, RSC Adv. 6, 19857 (2016)
    "CsGeI3": 1.6,  # Stoumpos et al., J. Am. Chem. Soc. 137, 6804 (2015)
    "CsGeBr3": 2.38,  # Lin et al., Mater. Res. Bull. 43, 2466 (2008)
    "CsGeCl3": 3.43,  # the same
}


def ions(metal: str, halogen: str, large: str = "Cs") -> MeanIons:
    return MeanIons.of({large: 1, metal: 1, halogen: 3})


@pytest.mark.parametrize(("name", "measured"), MEASURED.items())
def test_gaps_are_of_the_size_that_is_measured(name: str, measured: float) -> None:
    assert band_gap(ions(name[2:4], name[4:-1])) == pytest.approx(measured, abs=0.3)


def test_cesium_lead_bromide_forms_and_rubidium_lead_iodide_does_not() -> None:
    assert tolerance_factor(ions("Pb", "Br")) == pytest.approx(4.10, abs=0.01)  # by hand, from Bartel's formula
    assert tolerance_factor(ions("Pb", "I", "Rb")) > 4.5


def test_a_mixture_lies_between_its_ends() -> None:
    mixed = MeanIons.of({"Cs": 2, "Pb": 2, "I": 4, "Br": 2})
    assert band_gap(ions("Pb", "I")) < band_gap(mixed) < band_gap(ions("Pb", "Br"))


def test_an_ion_that_is_too_small_tilts_the_octahedra_and_widens_the_gap() -> None:
    assert band_gap(ions("Sn", "I", "K")) > band_gap(ions("Sn", "I", "Rb")) > band_gap(ions("Sn", "I"))


def test_what_is_no_perovskite_has_no_gap_and_what_is_unknown_is_told() -> None:
    respond = film().respond
    by_formula = {one.composition.reduced_formula: one for one in crystals()}
    assert respond({}, by_formula["CsPbI3"])["band_gap"] == band_gap(ions("Pb", "I"))
    with pytest.raises(SampleError, match="no perovskite has formed"):
        respond({}, by_formula["KPbI3"])
    with pytest.raises(LabError, match="needs a pool of perovskites"):
        respond({}, None)
    with pytest.raises(LabError, match="no virtual perovskite has Ti; allowed: Br, Cl, Cs"):
        MeanIons.of({"Cs": 1, "Ti": 1, "I": 3})


def test_the_committed_table_is_that_of_the_script() -> None:
    text = TABLE.read_text(encoding="utf-8")
    names = [name for name, factor, structure in rows() if f"{name},{factor}," in text and structure in text]
    assert len(names) == len(set(names)) == 324
