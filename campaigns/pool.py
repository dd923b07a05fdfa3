"""Where a campaign's candidate materials come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from campaigns.base import Config, DottedPath


class _PoolConfig(Config):
    strict: bool = False
    """Refuse the pool if any entry is bad, rather than use the rest."""
    lattice: Literal["given", "chgnet"] = "given"
    """chgnet: scale each cell to the volume that CHGNet prefers, for cells made by substitution."""


class GeneratorPoolConfig(_PoolConfig):
    """Materials that a function makes."""

    kind: Literal["generator"]
    function: DottedPath
    """The function that returns a pool, such as surrogates.pools.prototypes:cathodes."""


class TablePoolConfig(_PoolConfig):
    """Materials in the rows of a CSV or Parquet file."""

    kind: Literal["table"]
    file: str
    """The file (.csv, .csv.gz, .csv.xz or .parquet), beside the campaign file or absolute."""
    structure: str = "cif"
    """The column that holds the structure: CIF, POSCAR or pymatgen's JSON, told apart by what stands there."""
    id: str | None = None
    """The column that names the materials; without it, ids are made from formula and structure."""
    properties: tuple[str, ...] = ()
    """Numeric columns to keep with the materials."""


class FolderPoolConfig(_PoolConfig):
    """Materials in a folder of CIF and POSCAR files; the file's name is the id."""

    kind: Literal["folder"]
    folder: str
    """The folder, beside the campaign file or absolute."""


class AsePoolConfig(_PoolConfig):
    """Materials in an ASE database."""

    kind: Literal["ase"]
    file: str
    """The database (.db or .json), beside the campaign file or absolute."""


class JsonPoolConfig(_PoolConfig):
    """Materials in a pymatgen JSON file: a list of structures, or a mapping of ids to structures."""

    kind: Literal["json"]
    file: str
    """The file (.json or .json.gz), beside the campaign file or absolute."""


PoolConfig = Annotated[
    GeneratorPoolConfig | TablePoolConfig | FolderPoolConfig | AsePoolConfig | JsonPoolConfig,
    Field(discriminator="kind"),
]
