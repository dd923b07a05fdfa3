"""How full a site is: within the uncertainty of its occupancies, or by parts that add up."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from surrogates.pools.cif.atoms import Atom
from surrogates.pools.cif.orbits import Site
from surrogates.pools.cif.problems import UnreadableError

_ERRORS = 2  # standard uncertainties within which an occupancy is what it seems to be
_MOST = 0.05  # and never further off than this
_SHOWN = 4  # labels
_EXACT = 1e-3


def filled(site: Site, notes: list[str]) -> dict[str, float]:
    """Return the occupancy of a site by each element: 1 where it is full, within its uncertainty.

    Raises:
        UnreadableError: there is more in it than there can be.
    """
    label = site.atoms[0].label
    parts = defaultdict(list)
    for atom in site.atoms:
        parts[atom.element].append(atom)
    if len(site.atoms) > 1 and len(parts) == 1 and all(_is_full([atom]) for atom in site.atoms):
        shown = [atom.label for atom in site.atoms[:_SHOWN]] + ["..."] * (len(site.atoms) > _SHOWN)
        notes.append(f"{', '.join(shown)} are one and the same atom")
        return {site.atoms[0].element: 1.0}
    total = sum(atom.occupancy.value for atom in site.atoms)
    if total > 1 + _slack(list(site.atoms)):
        if len(site.atoms) == 1:
            raise UnreadableError(f"got {_written(site.atoms[0])} as occupancy of {label}; allowed: 0 to 1")
        words = ", ".join(f"{atom.label} {atom.occupancy.value:g}" for atom in site.atoms)
        raise UnreadableError(
            f"cannot be read as CIF: more than one atom stands on one site ({words}); occupancies add up to 1 at most"
        )
    if len(parts) > 1:
        return {element: sum(a.occupancy.value for a in held) / max(total, 1.0) for element, held in parts.items()}
    if not _is_full(list(site.atoms)):
        return {site.atoms[0].element: total}
    if total != 1:
        said = " + ".join(_written(atom) for atom in site.atoms)
        notes.append(f"the occupancy {said} of {label} was read as 1")
    return {site.atoms[0].element: 1.0}


def _is_full(atoms: list[Atom]) -> bool:
    return abs(sum(atom.occupancy.value for atom in atoms) - 1) <= _slack(atoms)


def _slack(atoms: list[Atom]) -> float:
    """Return how far the sum of occupancies may be from 1 by what the file says of them."""
    error = _ERRORS * float(np.sqrt(sum(atom.occupancy.error**2 for atom in atoms)))
    digits = sum(atom.occupancy.unit for atom in atoms) / 2 if len(atoms) > 1 else 0.0
    return min(max(error, digits, _EXACT), _MOST) + 1e-9


def _written(atom: Atom) -> str:
    error = atom.occupancy.error
    return f"{atom.occupancy.value:g}" if not error else f"{atom.occupancy.value:g} ± {error:g}"
