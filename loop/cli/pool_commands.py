"""The ``athanor pool`` commands: build, check and show a pool, of a campaign or of a file without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from campaigns.errors import CampaignError, Problem
from loop.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from campaigns.pool_source import PoolConfig
    from surrogates.pools.pool import Pool

app = typer.Typer(
    name="pool",
    help="Build, check and show a pool of materials: a campaign's, or a file's without any campaign.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
)

_FILE = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A campaign file; or a table (.csv, .csv.gz, .csv.xz, .parquet), a folder of CIF and POSCAR files, an ASE "
        "database (.db, .json), or pymatgen's JSON (.json, .json.gz).",
    ),
]
_STRUCTURE = Annotated[str | None, typer.Option(help="The table's column of structures; without it, cif.")]
_ID = Annotated[str | None, typer.Option("--id", help="The column, or key in a JSON list, that names the materials.")]
_PROPERTY = Annotated[
    list[str] | None, typer.Option("--property", help="A numeric column of the table to keep; may be repeated.")
]
_STRICT = Annotated[bool, typer.Option("--strict", help="Refuse the pool if any entry is bad.")]


@dataclass(frozen=True, slots=True)
class _Request:
    file: Path
    structure: str | None
    id: str | None
    properties: tuple[str, ...]
    strict: bool

    def options(self) -> dict[str, Any]:
        """Return the options that say what the columns are."""
        given = {"structure": self.structure, "id": self.id, "properties": self.properties}
        return {name: value for name, value in given.items() if value}


@app.command()
def build(
    file: _FILE, structure: _STRUCTURE = None, id_: _ID = None, property_: _PROPERTY = None, strict: _STRICT = False
) -> None:
    """Read and check a pool, fold duplicates, and keep it on disk, ready for campaigns."""
    from loop.terminal.console import print_rows
    from loop.terminal.pool_tables import summary_rows

    request = _Request(file, structure, id_, tuple(property_ or ()), strict)
    print_rows(summary_rows(_load(request, _config(request))))


@app.command()
def check(
    file: _FILE, structure: _STRUCTURE = None, id_: _ID = None, property_: _PROPERTY = None, strict: _STRICT = False
) -> None:
    """List bad entries, duplicates, and lattices that were not set; exit code 2 if a strict pool has bad entries."""
    from loop.terminal.console import print_rows, print_tables
    from loop.terminal.pool_tables import bad_table, finding_parts, summary_rows
    from surrogates.pools.build_report import RefusedError

    request = _Request(file, structure, id_, tuple(property_ or ()), strict)
    config = _config(request)
    try:
        pool = _load(request, config.model_copy(update={"strict": False}))
    except RefusedError as error:
        print_tables(bad_table(error.bad))
        raise CampaignError([Problem("space.pool", error.what)], str(request.file)) from error
    print_rows(summary_rows(pool))
    for title, table in finding_parts(pool):
        print_tables(f"\n{title}", table)
    if pool.report.bad and config.strict:
        raise typer.Exit(ExitCode.INVALID)


@app.command()
def show(
    file: _FILE, structure: _STRUCTURE = None, id_: _ID = None, property_: _PROPERTY = None, strict: _STRICT = False
) -> None:
    """Show what a pool holds: elements, prototypes, sizes, volumes, ranges of properties."""
    from loop.terminal.console import print_rows, print_tables
    from loop.terminal.pool_tables import composition_parts, summary_rows

    request = _Request(file, structure, id_, tuple(property_ or ()), strict)
    pool = _load(request, _config(request))
    print_rows(summary_rows(pool))
    for title, table in composition_parts(pool):
        print_tables(f"\n{title}", table)


@app.command()
def clean(
    older_than: Annotated[float, typer.Option(min=0, metavar="DAYS", help="Days for which nobody has opened it.")] = 30,
) -> None:
    """Remove built pools that have long not been opened; they are built anew when they are asked for."""
    from loop.terminal.console import print_tables
    from loop.terminal.pool_tables import removed_table
    from surrogates.pools.cleanup import remove_pool, unused_since

    removed = [(pool, remove_pool(pool)) for pool in unused_since(older_than)]
    if removed:
        print_tables(removed_table(removed))
    freed = sum(pool.size for pool, gone in removed if gone)
    typer.echo(f"{freed / 1e6:,.2f} MB freed; the embeddings of single structures are kept")


def _load(request: _Request, config: PoolConfig) -> Pool:
    """Return the pool, showing how its building goes; errors name the file."""
    from surrogates.pools.build_report import RefusedError
    from surrogates.pools.pool import load_pool

    try:
        with _progress() as progress:
            return load_pool(config, progress)
    except RefusedError as error:
        raise RefusedError(error.what, error.bad, str(request.file)) from error
    except CampaignError as error:
        raise CampaignError(error.problems, str(request.file)) from error


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows how far each stage is, with an estimate of the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        stages: dict[str, Any] = {}

        def show(doing: str, done: int, total: int) -> None:
            if doing not in stages:
                stages[doing] = bars.add_task(doing)
            bars.update(stages[doing], completed=done, total=total)

        yield show


def _config(request: _Request) -> PoolConfig:
    """Return what a campaign, or the options, say of the pool."""
    if request.file.suffix.lower() in (".yaml", ".yml"):
        return _of_campaign(request)
    from pydantic import TypeAdapter, ValidationError

    from campaigns.pool_source import SourcePoolConfig

    options = request.options()
    try:
        adapter = TypeAdapter[SourcePoolConfig](SourcePoolConfig)
        return adapter.validate_python({**_source(request.file), **options, "strict": request.strict})
    except ValidationError as error:
        words = ", ".join(f"--{name.replace('properties', 'property')}" for name in options)
        raise typer.BadParameter(f"does not apply to {request.file.name}", param_hint=words) from error


def _source(file: Path) -> dict[str, str]:
    """Return kind and name of the pool in a file or folder."""
    from campaigns.pool_source import JSON, TABLES

    name = str(file)
    if file.is_dir():
        return {"kind": "folder", "folder": name}
    endings = (("table", TABLES), ("ase", (".db",)), ("ase" if _is_ase(file) else "json", JSON))
    for kind, allowed in endings:
        if name.lower().endswith(allowed):
            return {"kind": kind, "file": name}
    known = ", ".join((".yaml", *(ending for _, allowed in endings for ending in allowed)))
    raise typer.BadParameter(f"got {name!r}; allowed: a folder, or a file that ends in {known}", param_hint="FILE")


def _is_ase(file: Path) -> bool:
    """Return whether a file ends as ASE's JSON databases do: with their ids and the next one."""
    try:
        with file.open("rb") as opened:
            opened.seek(max(file.stat().st_size - 200, 0))
            return b'"nextid"' in opened.read()
    except OSError:
        return False  # reading it will tell


def _of_campaign(request: _Request) -> PoolConfig:
    from campaigns.load import load_campaign
    from campaigns.user_code.module_files import open_folder

    campaign = load_campaign(request.file)
    if request.options():
        raise typer.BadParameter("the campaign file says what the columns are; leave the option out", param_hint="FILE")
    if campaign.space.pool is None:
        raise CampaignError([Problem("space.pool", "is missing: the campaign has no pool")], str(request.file))
    open_folder(request.file.absolute().parent)  # modules beside the campaign can be named in it
    return campaign.space.pool.model_copy(update={"strict": campaign.space.pool.strict or request.strict})
