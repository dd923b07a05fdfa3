import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure

from campaigns.errors import StepError
from campaigns.values import MetricValue
from instruments.analyses import calcination
from instruments.analyses.context import AnalysisContext
from instruments.analyses.diffraction import phase_fraction
from instruments.analyses.reference_phases import reference_structure
from instruments.analyses.scan import FloatArray
from simulators.diffraction_pattern import diffract
from simulators.materials import Material, nickel_rich
from simulators.synthesis import Sample
from tests.crystals import lithium_cobalt_oxide, lithium_iron_phosphate
from tests.space_groups import crystal_of

CASES: dict[str, tuple[Callable[[], Material], dict[str, float]]] = {
    "LFP": (lithium_iron_phosphate, {"Fe2O3": 0.5, "Li3PO4": 0.4, "Li2CO3": 0.1}),
    "LCO": (lithium_cobalt_oxide, {"Co3O4": 0.8, "Li2CO3": 0.2}),
    "NMC": (nickel_rich, {"NiO": 0.6, "Li2CO3": 0.25, "Mn3O4": 0.1, "CoO": 0.05}),
}


def powder(name: str, fraction: float, seed: int, **recipe: float) -> tuple[dict[str, FloatArray], AnalysisContext]:
    make, rest = CASES[name]
    rng = np.random.default_rng(seed)
    fractions = {"target": fraction} | {phase: part * (1 - fraction) for phase, part in rest.items()}
    sample = Sample(name, fractions, float(rng.uniform(30, 400)), 0.02)
    two_theta, counts = diffract(make(), sample, recipe, rng)
    return {"two_theta": two_theta, "counts": counts}, AnalysisContext(name, make().structure)


def fraction_of(data: Mapping[str, Any], context: AnalysisContext) -> tuple[MetricValue, tuple[str, ...]]:
    found = phase_fraction(data, context)
    return found.metrics["phase_fraction"], found.flags


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_fractions_are_recovered_within_their_uncertainty(name: str) -> None:
    errors = []
    for seed in range(10):
        true = 0.3 + 0.07 * seed
        found, flags = fraction_of(*powder(name, true, seed))
        assert flags == ()
        assert 0.001 < found.sd < 0.03
        errors.append((found.value - true) / found.sd)

    assert np.abs(errors).max() < 4
    assert np.mean(np.abs(errors) < 2) >= 0.8
    assert abs(np.mean(errors)) < 1
    assert np.std(errors) > 0.2


@pytest.mark.slow
def test_a_pure_powder_is_pure_and_one_without_the_target_has_none() -> None:
    pure, _ = fraction_of(*powder("LCO", 1.0, 1))
    absent, flags = fraction_of(*powder("LCO", 0.0, 1))

    assert pure.value == pytest.approx(1.0, abs=0.02)
    assert absent.value == pytest.approx(0.0, abs=0.02)
    assert flags == ()


@pytest.mark.slow
def test_a_shorter_count_knows_less() -> None:
    data, context = powder("NMC", 0.7, 0, count_time=0.02)
    short, flags = fraction_of(data, context)
    long, _ = fraction_of(*powder("NMC", 0.7, 0))

    assert flags == ()
    assert short.sd > 1.5 * long.sd
    assert abs(short.value - 0.7) < 4 * short.sd


def spoil(change: Callable[[FloatArray], FloatArray]) -> tuple[MetricValue, tuple[str, ...]]:
    data, context = powder("LCO", 0.8, 0)
    data["counts"] = change(data["counts"])
    return fraction_of(data, context)


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        (lambda c: np.where(np.arange(len(c)) % 5 == 2, np.nan, c), "not finite"),
        (lambda c: np.where(np.arange(len(c)) == 7, np.inf, c), "not finite"),
        (np.zeros_like, "dead detector"),
        (lambda c: np.full_like(c, 41.0), "dead detector"),
        (lambda c: np.minimum(c, 0.3 * c.max()), "saturated detector"),
        (lambda c: np.where(np.arange(len(c)) == 900, 1e6, c), "spikes"),
        (lambda c: c[:100], "too few points"),
        (lambda c: c - 1000, "negative counts"),
    ],
)
def test_bad_raw_data_are_flagged_and_give_no_number(change: Callable[[FloatArray], FloatArray], flag: str) -> None:
    metric, flags = spoil(change)

    assert math.isnan(metric.value)
    assert metric.unit == "1"
    assert flag in flags[0]


@pytest.mark.slow
def test_another_powder_than_the_intended_one_is_a_failed_fit() -> None:
    data, _ = powder("LFP", 1.0, 0)
    _, flags = fraction_of(data, AnalysisContext("LCO", lithium_cobalt_oxide().structure))

    assert any("failed fit" in flag for flag in flags)


def test_noise_without_lines_is_a_failed_fit() -> None:
    noise = np.random.default_rng(0).poisson(50.0, 2101).astype(float)
    data = {"two_theta": np.linspace(10, 80, 2101), "counts": noise}
    _, flags = fraction_of(data, AnalysisContext("LCO", lithium_cobalt_oxide().structure))

    assert "no reflection" in flags[0]


@pytest.mark.slow
def test_angles_that_do_not_belong_to_their_counts_are_flagged() -> None:
    data, context = powder("LCO", 0.8, 0)
    data["two_theta"] = data["two_theta"][::-1]

    assert "failed fit" in fraction_of(data, context)[1][0]


MANGANESE_OXIDE = crystal_of("Fm-3m", Lattice.cubic(4.4448), ["Mn", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
LITHIUM_MANGANATE = crystal_of(
    "Pmmn:2",
    Lattice.orthorhombic(2.81, 4.57, 5.75),
    ["Li", "Mn", "O", "O"],
    [[0.25, 0.25, 0.13], [0.25, 0.75, 0.63], [0.25, 0.25, 0.60], [0.25, 0.75, 0.14]],
)
BIXBYITE = crystal_of(
    "Ia-3", Lattice.cubic(9.41), ["Mn", "Mn", "O"], [[0.25, 0.25, 0.25], [0.285, 0, 0.25], [0.385, 0.145, 0.38]]
)


COPPER, COBALT = ((1.540593, 1), (1.544427, 0.5)), ((1.788996, 1), (1.792835, 0.5))


def gaussians(
    parts: Sequence[tuple[Structure, float]],
    width: float,
    level: float = 1200.0,
    lines: Sequence[tuple[float, float]] = COPPER,
) -> dict[str, FloatArray]:
    """Return counts of a mixture of (structure, weight), n, made without any code of the analysis."""
    grid = np.arange(10, 80.0001, 0.02)
    sticks = [
        (angle, weight * share * height / (structure.composition.weight * structure.volume))
        for structure, weight in parts
        for wavelength, share in lines
        for angle, height in zip(*peaks(structure, wavelength), strict=True)
    ]
    y = sum(height * np.exp(-4 * np.log(2) * ((grid - angle) / width) ** 2) for angle, height in sticks)
    counts = np.random.default_rng(0).poisson(y / y.max() * 8000 + level).astype(float)
    return {"two_theta": grid, "counts": counts}


def peaks(structure: Structure, wavelength: float) -> tuple[FloatArray, FloatArray]:
    found = XRDCalculator(wavelength=wavelength).get_pattern(structure, scaled=False, two_theta_range=(9, 81))
    return found.x, found.y


@pytest.mark.parametrize("write", [lambda s: s, lambda s: s.get_primitive_structure(), lambda s: s * (1, 2, 1)])
def test_the_target_is_no_impurity_of_itself(write: Callable[[Structure], Structure]) -> None:
    data = gaussians([(MANGANESE_OXIDE, 1.0)], 0.2)
    metric, flags = fraction_of(data, AnalysisContext("MnO", write(MANGANESE_OXIDE)))

    assert metric.value == pytest.approx(1.0, abs=0.01)
    assert flags == ()


@pytest.mark.slow
@pytest.mark.parametrize("level", [50.0, 1200.0, 20000.0])
def test_a_pattern_that_is_mostly_of_an_unknown_phase_is_flagged_whatever_the_background(level: float) -> None:
    data = gaussians([(LITHIUM_MANGANATE, 0.2), (BIXBYITE, 0.8)], 0.12, level)
    _, flags = fraction_of(data, AnalysisContext("LiMnO2", LITHIUM_MANGANATE))

    assert flags


@pytest.mark.slow
def test_a_minority_of_an_unknown_phase_is_flagged_with_its_lines() -> None:
    data = gaussians([(LITHIUM_MANGANATE, 0.75), (BIXBYITE, 0.25)], 0.12, 5000.0)
    _, flags = fraction_of(data, AnalysisContext("LiMnO2", LITHIUM_MANGANATE))

    assert "unexplained reflections" in flags[0]
    assert "32.9" in flags[0]  # (222), the strongest


@pytest.mark.slow
def test_angles_with_three_digits_are_measured() -> None:
    data = gaussians([(LITHIUM_MANGANATE, 1.0)], 0.12)
    grid = np.round(10 + 0.0131303 * np.arange(5300), 3)
    data = {"two_theta": grid, "counts": np.interp(grid, data["two_theta"], data["counts"])}
    metric, flags = fraction_of(data, AnalysisContext("LiMnO2", LITHIUM_MANGANATE))

    assert metric.value == pytest.approx(1.0, abs=0.02)
    assert flags == ()


@pytest.mark.parametrize("key", ["two_theta", "counts"])
def test_a_missing_signal_is_an_error(key: str) -> None:
    data, context = powder("LCO", 0.8, 0)
    del data[key]

    with pytest.raises(StepError, match=f"no '{key}'"):
        phase_fraction(data, context)


def test_without_a_structure_the_message_names_the_way_out() -> None:
    data, _ = powder("LCO", 0.8, 0)

    with pytest.raises(StepError, match=r"instruments\.analyses\.calcination:phase_fraction"):
        phase_fraction(data, AnalysisContext())


@pytest.mark.slow
def test_the_calcination_analysis_needs_no_structure() -> None:
    data, _ = powder("NMC", 0.8, 0)
    found = calcination.phase_fraction(data, AnalysisContext()).metrics["phase_fraction"]

    assert found.value == pytest.approx(0.8, abs=4 * found.sd)


MIXTURE = [(LITHIUM_MANGANATE, 0.6), (MANGANESE_OXIDE, 0.4)]
CONTEXT = AnalysisContext("LiMnO2", LITHIUM_MANGANATE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "radiation"),
    [
        (COPPER, None),
        (COPPER, "CuKa"),
        (COBALT, "CoKa"),
        (COBALT[:1], "CoKa1"),
        (((0.8, 1),), "0.8 Å"),
        (((0.8, 1),), 0.8),
    ],
)
def test_fractions_are_those_of_the_radiation_that_is_said(
    lines: Sequence[tuple[float, float]], radiation: str | float | None
) -> None:
    found = phase_fraction(gaussians(MIXTURE, 0.12, lines=lines), CONTEXT, radiation=radiation)
    metric = found.metrics["phase_fraction"]

    assert metric.value == pytest.approx(0.6, abs=0.02)
    assert found.flags == ()


@pytest.mark.slow
@pytest.mark.parametrize(("lines", "radiation"), [(COBALT, None), (COPPER, "CoKa"), (COPPER, "MoKa"), (COPPER, 1.6)])
def test_a_wrong_radiation_is_flagged(lines: Sequence[tuple[float, float]], radiation: str | float | None) -> None:
    assert phase_fraction(gaussians(MIXTURE, 0.12, lines=lines), CONTEXT, radiation=radiation).flags


@pytest.mark.slow
def test_an_instrument_that_names_another_wavelength_is_believed() -> None:
    data = gaussians(MIXTURE, 0.12)

    assert phase_fraction(data | {"wavelength": 1.5406}, CONTEXT).flags == ()
    assert phase_fraction(data | {"wavelength": 1.5418}, CONTEXT).flags == ()
    assert "wavelength is 0.7093 Å" in phase_fraction(data | {"wavelength": 0.7093}, CONTEXT).flags[0]


@pytest.mark.slow
def test_lines_of_the_holder_are_flagged_unless_they_are_left_out() -> None:
    data = gaussians(MIXTURE, 0.12)
    data["counts"] += np.rint(3000 * np.exp(-((data["two_theta"] - 38.2) ** 2) / 0.01))
    left_out = phase_fraction(data, CONTEXT, exclude=[(37.8, 38.6)])

    assert "2 theta = 38.20" in phase_fraction(data, CONTEXT).flags[0]
    assert left_out.flags == ()
    assert left_out.metrics["phase_fraction"].value == pytest.approx(0.6, abs=0.02)


@pytest.mark.slow
def test_a_wide_hump_is_background_and_a_narrow_one_is_never_taken_for_a_phase() -> None:
    data = gaussians(MIXTURE, 0.12)
    grid, counts = data["two_theta"], data["counts"]
    wide, narrow = (np.rint(3000 * np.exp(-0.5 * ((grid - 24) / width) ** 2)) for width in (4.0, 1.0))
    found, flags = fraction_of({"two_theta": grid, "counts": counts + wide}, CONTEXT)

    assert found.value == pytest.approx(0.6, abs=0.03)
    assert flags == ()
    assert fraction_of({"two_theta": grid, "counts": counts + narrow}, CONTEXT)[1]


@pytest.mark.slow
@pytest.mark.parametrize("change", [lambda y: y / y.max(), lambda y: np.round(100 * y / y.max(), 2), lambda y: y / 7.3])
def test_intensities_need_not_be_counts(change: Callable[[FloatArray], FloatArray]) -> None:
    data = gaussians(MIXTURE, 0.12)
    plain, _ = fraction_of(data, CONTEXT)
    found, flags = fraction_of(data | {"counts": change(data["counts"])}, CONTEXT)

    assert found.value == pytest.approx(plain.value, abs=0.005)
    assert found.sd == pytest.approx(plain.sd, rel=0.3)
    assert flags == ()


@pytest.mark.slow
@pytest.mark.parametrize("strain", [-0.015, 0.01])
@pytest.mark.parametrize("zero", [-0.1, 0.1])
def test_another_lattice_and_a_wrong_zero_change_no_fraction(strain: float, zero: float) -> None:
    a, b, c = LITHIUM_MANGANATE.lattice.abc
    lattice = Lattice.orthorhombic(a * (1 + strain), b * (1 + strain), c * (1 - strain / 2))
    swollen = Structure(lattice, LITHIUM_MANGANATE.species, LITHIUM_MANGANATE.frac_coords)
    data = gaussians([(swollen, 0.6), (MANGANESE_OXIDE, 0.4)], 0.12)
    found, flags = fraction_of(data | {"two_theta": data["two_theta"] + zero}, CONTEXT)

    assert found.value == pytest.approx(0.6, abs=0.03)
    assert flags == ()


@pytest.mark.slow
def test_a_target_does_not_move_onto_an_impurity_of_its_type() -> None:
    ilmenite = crystal_of(
        "R-3",
        Lattice.hexagonal(5.0884, 14.0855),
        ["Fe", "Ti", "O"],
        [[0, 0, 0.3554], [0, 0, 0.1464], [0.3174, 0.0233, 0.2451]],
    )
    haematite = crystal_of("R-3c", Lattice.hexagonal(5.02, 13.74), ["Fe", "O"], [[0, 0, 0.3553], [0.3059, 0, 0.25]])
    found, flags = fraction_of(gaussians([(ilmenite, 0.1), (haematite, 0.9)], 0.12), AnalysisContext("x", ilmenite))

    assert found.value == pytest.approx(0.1, abs=0.03)
    assert flags == ()


COBALTATE = crystal_of(
    "R-3m", Lattice.hexagonal(2.8155, 14.054), ["Li", "Co", "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.2605]]
)
PERICLASE = crystal_of("Fm-3m", Lattice.cubic(4.2117), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
LITHIUM_SPINEL = crystal_of("Fd-3m:2", Lattice.cubic(7.994), ["Li", "Co", "O"], [[0.125] * 3, [0.5] * 3, [0.261] * 3])


@pytest.mark.slow
@pytest.mark.parametrize("foreign", [PERICLASE, LITHIUM_SPINEL])
@pytest.mark.parametrize("share", [0.08, 0.1, 0.12, 0.2])
def test_a_foreign_phase_is_not_taken_for_a_known_one_of_another_lattice(foreign: Structure, share: float) -> None:
    data = gaussians([(COBALTATE, 1 - share), (foreign, share)], 0.12, 300.0)

    assert "unexplained reflections" in fraction_of(data, AnalysisContext("LiCoO2", COBALTATE))[1][0]


@pytest.mark.slow
@pytest.mark.parametrize("left", [0.02, 0.05, 0.15])
def test_what_a_filter_leaves_of_the_beta_line_changes_no_fraction(left: float) -> None:
    lines = (*COPPER, (1.392235, 1.5 * left))
    spinel = reference_structure("Co3O4")
    found, flags = fraction_of(
        gaussians([(COBALTATE, 0.8), (spinel, 0.2)], 0.12, 300.0, lines), AnalysisContext("LiCoO2", COBALTATE)
    )

    assert found.value == pytest.approx(0.8, abs=0.008)
    assert flags == ()


NICKEL_OXIDE = reference_structure("NiO")
GRAPHITE = crystal_of("P6_3/mmc", Lattice.hexagonal(2.464, 6.711), ["C", "C"], [[0, 0, 0.25], [1 / 3, 2 / 3, 0.25]])
HALITE = crystal_of("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "foreign"),
    [(NICKEL_OXIDE, PERICLASE), (reference_structure("ZnO"), HALITE), (COBALTATE, GRAPHITE)],
)
@pytest.mark.parametrize("share", [0.03, 0.05, 0.3])
def test_the_uncertainty_holds_a_foreign_phase_whether_it_is_flagged_or_not(
    target: Structure, foreign: Structure, share: float
) -> None:
    data = gaussians([(target, 1 - share), (foreign, share)], 0.12, 300.0)
    found, flags = fraction_of(data, AnalysisContext("target", target))

    assert abs(found.value - (1 - share)) < 2.5 * found.sd
    assert flags or share < 0.05
    assert flags or found.sd < 0.03


@pytest.mark.parametrize("target", [NICKEL_OXIDE, COBALTATE])
def test_the_uncertainty_of_a_clean_pattern_stays_small(target: Structure) -> None:
    found, flags = fraction_of(gaussians([(target, 1.0)], 0.12, 300.0), AnalysisContext("target", target))

    assert found.value == pytest.approx(1.0, abs=0.01)
    assert 0.005 < found.sd < 0.02
    assert flags == ()


def test_a_target_at_the_end_of_its_lattice_range_is_flagged() -> None:
    swollen = Structure(Lattice.cubic(4.1769 * 1.028), NICKEL_OXIDE.species, NICKEL_OXIDE.frac_coords)
    found, flags = fraction_of(gaussians([(swollen, 1.0)], 0.4, 300.0), AnalysisContext("NiO", NICKEL_OXIDE))

    assert any("lattice of the target" in flag for flag in flags)
    assert found.sd > 0.1
