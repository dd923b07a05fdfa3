"""Small CIF texts with one thing changed each."""

from __future__ import annotations

CELL = "5.64 5.64 5.64 90 90 90"
ORTHO = "5 6 7 90 90 90"
ZNO = "3.2498 3.2498 5.2066 90 90 120"
SPINEL = "8.0806 8.0806 8.0806 90 90 90"
SITES = "Na1 Na 0 0 0\nCl1 Cl 0.5 0.5 0.5"
COLUMNS = "label type_symbol fract_x fract_y fract_z"
BARE = "label fract_x fract_y fract_z"
OCCUPANCY = f"{COLUMNS} occupancy"
P1 = "_symmetry_equiv_pos_as_xyz 'x,y,z'\n"
CUBIC = "_symmetry_space_group_name_H-M 'F m -3 m'\n"
_CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")


def named(symbol: str) -> str:
    return f"_symmetry_space_group_name_H-M '{symbol}'\n"


def listed(*operations: str, tag: str = "_space_group_symop_operation_xyz") -> str:
    return "\n".join(["loop_", tag, *(f"'{operation}'" for operation in operations), ""])


def text(sites: str = SITES, columns: str = COLUMNS, cell: str = CELL, symmetry: str = CUBIC, extra: str = "") -> str:
    """Return rock salt, with its parts replaced."""
    lengths = "".join(f"_cell_{name} {value}\n" for name, value in zip(_CELL, cell.split(), strict=True))
    heads = "".join(f"_atom_site_{name}\n" for name in columns.split())
    return f"data_x\n{lengths}{symmetry}{extra}loop_\n{heads}{sites}\n"
