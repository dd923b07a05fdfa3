"""Figures of a pool, as dicts in Plotly's JSON format: its elements, and a map of its materials."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from loop.core.candidate_results import CandidateResult, best, ranking
from loop.core.records import TrialRecord
from loop.report.element_style import ELEMENTS
from loop.report.style import GREY, ORANGE, Figure, Mark, Trace, by_state, hover, label, layout
from loop.storage.pool_snapshot import MaterialSnapshot, PoolSnapshot

_PALEST, _DARKEST = 0.06, 0.6
_RING = Mark("best so far", ORANGE, "circle-open")


@dataclass(frozen=True)
class ProposedMaterials:
    """Materials that were proposed, with their trials.

    Attributes:
        pictures: id to what the store keeps of it.
        trials: those whose material is among the pictures, by number.
        found: the candidates of these trials.
        units: parameter to unit.
        front: numbers of the trials on the front, where one is looked for.
    """

    pictures: Mapping[str, MaterialSnapshot]
    trials: Sequence[TrialRecord]
    found: Sequence[CandidateResult]
    units: Mapping[str, str]
    front: frozenset[int] = frozenset()

    @property
    def measured(self) -> dict[str, list[CandidateResult]]:
        """Material to its candidates that have a score, best first; those of a front before all others."""
        found: dict[str, list[CandidateResult]] = {}
        for one in sorted(ranking(self.found), key=lambda one: one.number not in self.front):
            found.setdefault(str(one.candidate.material), []).append(one)
        return found

    @property
    def champions(self) -> list[str]:
        """The material of the best candidate, or the materials of a front."""
        top = best(self.found)
        found = [one for one in self.found if one.number in self.front] or ([] if top is None else [top])
        return list(dict.fromkeys(str(one.candidate.material) for one in found))

    def place(self, material: str | None) -> tuple[float, float]:
        """Return where a material lies on the map."""
        return self.pictures[str(material)].place


def composition_figure(pool: PoolSnapshot, proposed: ProposedMaterials) -> Figure:
    """Return the periodic table: how many materials hold each element, how many of these were measured, the best's.

    Shades are logarithmic; elements that the pool lacks are empty.
    """
    measured = Counter(e for material in proposed.measured for e in set(proposed.pictures[material].crystal.symbols))
    known = [element for element in ELEMENTS.values() if element.symbol in pool.elements]
    missing = [element for element in ELEMENTS.values() if element.symbol not in pool.elements]
    cells = [element.cell for element in known]
    texts = [_element_text(e.symbol, pool, measured[e.symbol]) for e in known]
    traces = [
        _points(cells, 0.0) | {"mode": "markers", "marker": {"size": 34, "opacity": 0}} | _hovering(texts),
        _texts(cells, [f"<b>{e.symbol}</b>" for e in known], -0.12, {"size": 14}),
        _texts(cells, [_short(pool.elements[e.symbol]) for e in known], 0.25, {"size": 10}),
        _texts([e.cell for e in missing], [e.symbol for e in missing], 0.0, {"size": 11, "color": GREY}),
        _badges([(e.cell, measured[e.symbol]) for e in known if measured[e.symbol]]),
    ]
    found = layout("", "", 500) | {"showlegend": False, "margin": {"l": 8, "r": 8, "t": 26, "b": 8}}
    found["xaxis"] = {"visible": False, "range": [0.4, 18.6], "fixedrange": True}
    found["yaxis"] = {"visible": False, "range": [9.95, 0.45], "fixedrange": True}
    boxes = [_box(e.cell, _shade(pool.elements[e.symbol], max(pool.elements.values()))) for e in known]
    ring = sorted({symbol for name in proposed.champions for symbol in proposed.pictures[name].crystal.symbols})
    frames = [_frame(ELEMENTS[symbol].cell) for symbol in ring if symbol in ELEMENTS]
    return {"data": traces, "layout": found | {"shapes": [*boxes, *frames]}}


def map_figure(pool: PoolSnapshot, proposed: ProposedMaterials) -> Figure:
    """Return the materials on a plane: a sample of the pool in grey, measured ones by score, the best one ringed."""
    axes = [
        label(f"principal component {i} of {pool.view}, {100 * share:.0f} % of its variance", "1")
        for i, share in enumerate(pool.shares, 1)
    ]
    traces = [_background(pool), *_unscored(proposed), *_scored(proposed), *_ringed(proposed)]
    found = layout(axes[0], axes[1], 560) | {"modebar": {"orientation": "h"}}  # a bar of colours stands at the right
    return {"data": traces, "layout": found}


def _texts(cells: Sequence[tuple[float, int]], texts: Sequence[str], lower: float, font: Mapping[str, Any]) -> Trace:
    found = _points(cells, lower) | {"mode": "text", "text": list(texts), "hoverinfo": "skip"}
    return found | {"textfont": dict(font)}


def _points(cells: Sequence[tuple[float, int]], lower: float) -> Trace:
    return {"type": "scatter", "x": [column for _, column in cells], "y": [row + lower for row, _ in cells]}


def _hovering(texts: Sequence[str]) -> Trace:
    return {"hoverinfo": "text", "text": list(texts)}


def _badges(counts: Sequence[tuple[tuple[float, int], int]]) -> Trace:
    """Return how many were measured, in the upper right corners."""
    places = {"x": [column + 0.33 for (_, column), _ in counts], "y": [row - 0.26 for (row, _), _ in counts]}
    font = {"size": 9, "color": "#1b2430"}
    marker = {"size": 17, "color": ORANGE, "line": {"width": 0}}
    shown = {"mode": "markers+text", "marker": marker, "textfont": font, "hoverinfo": "skip"}
    return {"type": "scatter", **places, **shown, "text": [_short(count) for _, count in counts]}


def _shade(count: int, most: int) -> str:
    share = math.log(count) / math.log(most) if most > 1 else 1.0
    return f"rgba(0, 114, 178, {_PALEST + (_DARKEST - _PALEST) * share:.3f})"


def _box(cell: tuple[float, int], colour: str) -> dict[str, Any]:
    return _square(cell) | {"fillcolor": colour, "line": {"width": 0}, "layer": "below"}


def _frame(cell: tuple[float, int]) -> dict[str, Any]:
    return _square(cell) | {"line": {"color": ORANGE, "width": 2.5}}


def _square(cell: tuple[float, int]) -> dict[str, Any]:
    row, column = cell
    return {"type": "rect", "x0": column - 0.47, "x1": column + 0.47, "y0": row - 0.46, "y1": row + 0.46}


def _element_text(symbol: str, pool: PoolSnapshot, measured: int) -> str:
    count = pool.elements[symbol]
    return f"{symbol}: in {count:,} of {pool.size:,} materials ({100 * count / pool.size:.1f} %), {measured} measured"


def _short(count: int) -> str:
    """Return a count in at most four characters; nothing for none."""
    if count < 1000:
        return str(count or "")
    return f"{count / 1000:.1f}k" if count < 9950 else f"{count / 1000:.0f}k"


def _background(pool: PoolSnapshot) -> Trace:
    count = "all" if len(pool.ids) == pool.size else f"{len(pool.ids):,} of {pool.size:,}"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"pool ({count})",
        "x": pool.places[:, 0].tolist(),
        "y": pool.places[:, 1].tolist(),
        "marker": {"color": GREY, "size": 4, "opacity": 0.35},
        "hoverinfo": "text",
        "text": [escape(name) for name in pool.ids],
    }


def _unscored(proposed: ProposedMaterials) -> list[Trace]:
    return [
        _marks(mark, [proposed.place(t.candidate.material) for t in group], [hover(t, proposed.units) for t in group])
        for mark, group in by_state(t for t in proposed.trials if t.score is None)
    ]


def _scored(proposed: ProposedMaterials) -> list[Trace]:
    tops = [found[0] for found in proposed.measured.values()]
    if not tops:
        return []
    tops.reverse()  # the best are drawn last, above the others
    scores = [one.score or 0.0 for one in tops]
    texts = [_text(proposed, one) for one in tops]
    found = _marks(Mark("measured", GREY, "circle"), [proposed.place(t.candidate.material) for t in tops], texts)
    bar = {"title": {"text": label("score", "points"), "side": "right"}, "thickness": 12}
    found["marker"] |= {
        "color": scores,
        "colorscale": "Cividis",
        "showscale": True,
        "colorbar": bar,
        "cmin": float(np.percentile(scores, 10)),  # the best are to be told apart
        "cmax": max(scores),
        "size": 10,
        "line": {"width": 1, "color": GREY},
    }
    return [found]


def _text(proposed: ProposedMaterials, top: CandidateResult) -> str:
    others = len(proposed.measured[str(top.candidate.material)]) - 1
    more = f"<br>and {others} more of this material" if others else ""
    return f"{hover(top, proposed.units)}{more}"


def _ringed(proposed: ProposedMaterials) -> list[Trace]:
    if not proposed.champions:
        return []
    ring = Mark("on the front", ORANGE, "circle-open") if proposed.front else _RING
    found = _marks(ring, [proposed.place(name) for name in proposed.champions], [])
    found["marker"] |= {"size": 20, "line": {"width": 3, "color": ORANGE}}
    return [found | {"hoverinfo": "skip"}]


def _marks(mark: Mark, places: Sequence[tuple[float, float]], texts: Sequence[str]) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": mark.name,
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
        "marker": {
            "color": mark.colour,
            "symbol": mark.symbol,
            "size": 9,
            "line": {"width": 1.6, "color": mark.colour},
        },
        "hoverinfo": "text",
        "text": list(texts),
    }
