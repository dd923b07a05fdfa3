"""What pictures need of the elements: place in the periodic table, covalent radius, colour."""

from __future__ import annotations

from dataclasses import dataclass

_TABLE = """
H 31 ffffff, He 28 d9ffff, Li 128 cc80ff, Be 96 c2ff00, B 84 ffb5b5, C 76 909090, N 71 3050f8, O 66 ff0d0d,
F 57 90e050, Ne 58 b3e3f5, Na 166 ab5cf2, Mg 141 8aff00, Al 121 bfa6a6, Si 111 f0c8a0, P 107 ff8000,
S 105 ffff30, Cl 102 1ff01f, Ar 106 80d1e3, K 203 8f40d4, Ca 176 3dff00, Sc 170 e6e6e6, Ti 160 bfc2c7,
V 153 a6a6ab, Cr 139 8a99c7, Mn 139 9c7ac7, Fe 132 e06633, Co 126 f090a0, Ni 124 50d050, Cu 132 c88033,
Zn 122 7d80b0, Ga 122 c28f8f, Ge 120 668f8f, As 119 bd80e3, Se 120 ffa100, Br 120 a62929, Kr 116 5cb8d1,
Rb 220 702eb0, Sr 195 00ff00, Y 190 94ffff, Zr 175 94e0e0, Nb 164 73c2c9, Mo 154 54b5b5, Tc 147 3b9e9e,
Ru 146 248f8f, Rh 142 0a7d8c, Pd 139 006985, Ag 145 c0c0c0, Cd 144 ffd98f, In 142 a67573, Sn 139 668080,
Sb 139 9e63b5, Te 138 d47a00, I 139 940094, Xe 140 429eb0, Cs 244 57178f, Ba 215 00c900, La 207 70d4ff,
Ce 204 ffffc7, Pr 203 d9ffc7, Nd 201 c7ffc7, Pm 199 a3ffc7, Sm 198 8fffc7, Eu 198 61ffc7, Gd 196 45ffc7,
Tb 194 30ffc7, Dy 192 1fffc7, Ho 192 00ff9c, Er 189 00e675, Tm 190 00d452, Yb 187 00bf38, Lu 187 00ab24,
Hf 175 4dc2ff, Ta 170 4da6ff, W 162 2194d6, Re 151 267dab, Os 144 266696, Ir 141 175487, Pt 136 d0d0e0,
Au 136 ffd123, Hg 132 b8b8d0, Tl 145 a6544d, Pb 146 575961, Bi 148 9e4fb5, Po 140 ab5c00, At 150 754f45,
Rn 150 428296, Fr 260 420066, Ra 221 007d00, Ac 215 70abfa, Th 206 00baff, Pa 200 00a1ff, U 196 008fff,
Np 190 0080ff, Pu 187 006bff, Am 180 545cf2, Cm 169 785ce3, Bk 0 8a4fe3, Cf 0 a136d4, Es 0 b31fd4,
Fm 0 b31fba, Md 0 b30da6, No 0 bd0d87, Lr 0 c70066
"""
_PERIODS = (1, 3, 11, 19, 37, 55, 87, 119)  # atomic number at which each period begins
_UNKNOWN = 1.69  # radius in Å beyond curium, as curium's
_SPACE = 0.4  # rows between the main table and the f block


@dataclass(frozen=True, slots=True)
class Element:
    """One element.

    Attributes:
        radius: single-bond covalent radius in Å (Cordero et al. 2008, Dalton Trans., 2832).
        colour: as hexadecimal RGB, that of the viewer Jmol.
    """

    symbol: str
    number: int
    radius: float
    colour: str

    @property
    def cell(self) -> tuple[float, int]:
        """Row and column, from 1, in the table of 18 columns; the f block stands below it."""
        period = sum(self.number >= first for first in _PERIODS)
        place = self.number - _PERIODS[period - 1]
        length = _PERIODS[period] - _PERIODS[period - 1]
        if length == 32 and place in range(2, 17):
            return period + 2 + _SPACE, place + 1
        beyond = place >= (1 if length == 2 else 2)
        return float(period), 18 - (length - 1 - place) if beyond else place + 1


def _read() -> dict[str, Element]:
    found = (entry.split() for entry in _TABLE.replace("\n", " ").split(","))
    return {
        symbol: Element(symbol, number, int(radius) / 100 or _UNKNOWN, f"#{colour}")
        for number, (symbol, radius, colour) in enumerate(found, 1)
    }


ELEMENTS = _read()
"""Symbol to element, hydrogen to lawrencium, in the order of their numbers."""
