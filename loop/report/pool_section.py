"""The report's sections on the pool: its elements, a map of its materials, and the best structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from loop.core.candidate_results import CandidateResult
from loop.core.formatting import one_line, score_text
from loop.core.records import TrialRecord
from loop.report.html import captioned, chart, details, facts, grid, paragraph, preformatted
from loop.report.pool_figures import ProposedMaterials, composition_figure, map_figure
from loop.report.structure_figure import structure_figure
from loop.report.style import state_mark
from loop.storage.pool_snapshot import MaterialSnapshot, PoolSnapshot

_BEST = 6
"""Structures that are shown: each takes one of the sixteen or so drawing contexts that a browser gives a page."""
_GONE = "The store keeps no picture of this pool: it is of an earlier version, or the campaign has not been run."


@dataclass(frozen=True)
class PoolContent:
    """What the store keeps of the pool.

    Attributes:
        pool: None where it keeps nothing.
        pictures: proposed material to what the store keeps of it.
        found: the candidates of the trials.
        units: parameter to unit.
        front: numbers of the trials on the front, where one is looked for.
    """

    pool: PoolSnapshot | None
    pictures: Mapping[str, MaterialSnapshot]
    trials: Sequence[TrialRecord]
    found: Sequence[CandidateResult]
    units: Mapping[str, str]
    front: frozenset[int] = frozenset()

    @cached_property
    def proposed(self) -> ProposedMaterials:
        """The materials that can be shown, with their trials."""
        shown = [t for t in self.trials if t.candidate.material in self.pictures]
        found = [one for one in self.found if one.candidate.material in self.pictures]
        return ProposedMaterials(self.pictures, shown, found, self.units, self.front)


def pool_parts(content: PoolContent) -> list[str]:
    """Return the pieces of the section on the pool."""
    if content.pool is None:
        return [paragraph(_GONE, "note")]
    pool, proposed = content.pool, content.proposed
    elements = (
        "How many of the materials hold each element, on a logarithmic shade; orange: how many of these have been "
        "measured; framed: the elements of the best."
    )
    sample = "all materials" if len(pool.ids) == pool.size else f"{len(pool.ids):,} materials drawn at random"
    places = (
        f"Materials that lie close look alike to the models. Grey: {sample}; coloured: the best pooled score of a "
        "material (of a front: the mean of the terms' points); ringed: the best so far, or the front."
    )
    return [
        facts(_rows(pool, proposed)),
        paragraph(elements, "note"),
        chart(composition_figure(pool, proposed)),
        paragraph(places, "note"),
        chart(map_figure(pool, proposed)),
        *_troubles(pool),
    ]


def structure_parts(content: PoolContent) -> list[str]:
    """Return the pieces of the section on the best structures."""
    tops = [found[0] for found in content.proposed.measured.values()][:_BEST]
    if not tops:
        return [paragraph("No material has been measured yet whose structure the store keeps.", "note")]
    note = "The best materials, best first; turn them with the mouse. Bonds are drawn by covalent radii, as a guide."
    return [paragraph(note, "note"), grid([_structure(content, one) for one in tops])]


def _structure(content: PoolContent, one: CandidateResult) -> str:
    material = str(one.candidate.material)
    picture = content.pictures[material]
    broken = "" if state_mark(one) == "feasible" else f", {state_mark(one)}"
    text = f"{one.label}, score {score_text(one)}{broken}; {picture.formula}, {picture.prototype}"
    rows = [(one_line(name), one_line(value)) for name, value in picture.provenance.items()]
    origin = details("where the cell comes from", facts(rows)) if rows else ""
    return captioned(one_line(material), one_line(text), chart(structure_figure(picture.crystal))) + origin


def _rows(pool: PoolSnapshot, proposed: ProposedMaterials) -> list[tuple[str, str]]:
    rows = [("materials", f"{pool.size:,}, of {pool.formulas:,} different formulas")]
    if pool.read:
        rows.append(("read", f"{pool.read:,}: {pool.bad:,} could not be used, {pool.duplicates:,} were duplicates"))
    count = len(proposed.measured)
    return [*rows, ("measured", f"{count:,} materials, {100 * count / pool.size:.2g} %")]


def _troubles(pool: PoolSnapshot) -> list[str]:
    found = (
        ("what could not be used", pool.troubles, pool.bad),
        ("what was not read as written, or on trust", pool.notes, pool.noted),
        ("lattices that stay as they were given", pool.kept_lattices, pool.unsettled),
    )
    return [_listed(*each) for each in found if each[-1]]


def _listed(title: str, first: Sequence[str], total: int) -> str:
    left = total - len(first)
    rest = [f"and {left:,} more; 'athanor pool check' lists them all"] if left else []
    return details(title, preformatted("\n".join([*map(one_line, first), *rest])))
