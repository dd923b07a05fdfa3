"""Where a campaign's candidate materials come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from campaigns.config import Config, DottedPath
from campaigns.relative_paths import RelativePathConfig

TABLES = (".csv", ".csv.gz", ".csv.xz", ".parquet", ".tsv", ".tsv.gz", ".tsv.xz", ".xlsx")
DATABASES = (".db", ".json")
JSON = (".json", ".json.gz")


def ending(*allowed: str) -> AfterValidator:
    def check(name: str) -> str:
        if not name.lower().endswith(allowed):
            raise ValueError(f"got {name!r}; allowed: a name that ends in {', '.join(allowed)}")
        return name

    return AfterValidator(check)


class _PoolConfig(Config):
    strict: bool = False
    """Refuse the pool if any entry is bad, instead of using the rest."""
    lattice: Literal["given", "chgnet"] = "given"
    """chgnet: scale each cell to the volume that CHGNet prefers, for cells made by substitution."""


class GeneratorPoolConfig(_PoolConfig):
    """Materials that a function returns."""

    kind: Literal["generator"]
    function: DottedPath
    """The function that returns a pool, such as surrogates.pools.prototypes:cathodes."""


class FileConfig(RelativePathConfig):
    """A section that names one file."""

    file: str

    @property
    def path(self) -> Path:
        """The file, absolute."""
        return self.beside(self.file)


class TablePoolConfig(FileConfig, _PoolConfig):
    """Materials in the rows of a CSV, Excel or Parquet file."""

    kind: Literal["table"]
    file: Annotated[str, ending(*TABLES)]
    """The file (.csv or .tsv, also .gz or .xz; .xlsx or .parquet), beside the campaign file or absolute."""
    structure: str = "cif"
    """The column with the structure: CIF, POSCAR or pymatgen's JSON; the format is recognised from the content."""
    id: str | None = None
    """The column that names the materials; without it, ids are made from formula and structure."""
    properties: tuple[str, ...] = ()
    """Numeric columns to keep with the materials."""


class FolderPoolConfig(RelativePathConfig, _PoolConfig):
    """Materials in a folder of CIF and POSCAR files, and in the folders below it; the file's name is the id."""

    kind: Literal["folder"]
    folder: str
    """The folder, beside the campaign file or absolute."""

    @property
    def path(self) -> Path:
        """The folder, absolute."""
        return self.beside(self.folder)


class AsePoolConfig(FileConfig, _PoolConfig):
    """Materials in an ASE database."""

    kind: Literal["ase"]
    file: Annotated[str, ending(*DATABASES)]
    """The database (.db or .json), beside the campaign file or absolute."""


class JsonPoolConfig(FileConfig, _PoolConfig):
    """Materials in a pymatgen JSON file: a list of structures, of mappings with a structure, or ids to structures."""

    kind: Literal["json"]
    file: Annotated[str, ending(*JSON)]
    """The file (.json or .json.gz), beside the campaign file or absolute."""
    id: str | None = None
    """The key that names the materials in a list of mappings; without it, ids are made from formula and structure."""


SourcePoolConfig = TablePoolConfig | FolderPoolConfig | AsePoolConfig | JsonPoolConfig
"""Materials that stand in files."""

PoolConfig = Annotated[
    GeneratorPoolConfig | TablePoolConfig | FolderPoolConfig | AsePoolConfig | JsonPoolConfig,
    Field(discriminator="kind"),
]


def missing_source(pool: SourcePoolConfig) -> tuple[str, str] | None:
    """Return the key and what is wrong if a pool's file or folder is not there, else None."""
    if isinstance(pool, FolderPoolConfig):
        return None if pool.path.is_dir() else ("folder", _trouble(pool.folder, pool.path, "folder"))
    return None if pool.path.is_file() else ("file", _trouble(pool.file, pool.path, "file"))


def _trouble(name: str, path: Path, wanted: str) -> str:
    if path.exists():
        return f"got {name!r}, but {path} is no {wanted}; name a {wanted}"
    beside = "a relative name is looked up beside the campaign file, or where the command is given"
    hint = "check the name" if Path(name).is_absolute() else beside
    return f"got {name!r}, but {path} does not exist; {hint}"
