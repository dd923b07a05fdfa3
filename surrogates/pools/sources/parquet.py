"""Rows of a Parquet file, read with pyarrow, which is an extra."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.errors import ModelError
from campaigns.pool_source import TablePoolConfig
from surrogates.pools.build_report import BadEntry, Place
from surrogates.pools.sources.data_table import check_columns, damaged, row_item
from surrogates.pools.sources.item import Item, PoolFiles


def parquet_source(config: TablePoolConfig) -> PoolFiles:
    """Return the rows of a Parquet file.

    Raises:
        CampaignError: a column is missing, or the file is damaged.
        ModelError: pyarrow is not installed.
    """
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{config.path.name} is a Parquet file, and pyarrow, which reads them, is not installed; "
            "pip install 'athanor-sdl[parquet]', or save the table as .csv.xz"
        ) from error
    try:
        file = parquet.ParquetFile(config.path)
    except (OSError, arrow.ArrowException) as error:
        raise damaged(config.path, error) from error
    check_columns(config, file.schema_arrow.names)
    return PoolFiles(file.metadata.num_rows, _items(config, file, arrow.ArrowException))


def _items(config: TablePoolConfig, file: object, trouble: type[Exception]) -> Iterator[Item | BadEntry]:
    columns = list(dict.fromkeys([config.structure, *([config.id] if config.id else []), *config.properties]))
    number = 0
    try:
        for batch in file.iter_batches(batch_size=1024, columns=columns):  # type: ignore[attr-defined]  # untyped
            for row in batch.to_pylist():
                number += 1
                yield row_item(config, Place(config.path.name, number), row, {})
    except (OSError, trouble) as error:
        raise damaged(config.path, error, number) from error
