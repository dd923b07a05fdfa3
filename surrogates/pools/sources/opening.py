"""From the configuration of a pool to its entries."""

from __future__ import annotations

from typing import assert_never

from campaigns.pool_source import (
    AsePoolConfig,
    FolderPoolConfig,
    JsonPoolConfig,
    SourcePoolConfig,
    TablePoolConfig,
    missing_source,
)
from surrogates.pools.build_report import pool_error
from surrogates.pools.sources.item import PoolFiles


def open_source(config: SourcePoolConfig) -> PoolFiles:
    """Return the entries of the files that a configuration names.

    Raises:
        CampaignError: a file is missing, is damaged, or lacks a column.
        ModelError: a library that reads it is not installed.
    """
    if trouble := missing_source(config):
        raise pool_error(trouble[1])
    match config:
        case TablePoolConfig() if config.path.suffix.lower() == ".parquet":
            from surrogates.pools.sources.parquet import parquet_source

            return parquet_source(config)
        case TablePoolConfig():
            from surrogates.pools.sources.data_table import csv_source

            return csv_source(config)
        case FolderPoolConfig():
            from surrogates.pools.sources.folder import folder_source

            return folder_source(config)
        case AsePoolConfig():
            from surrogates.pools.sources.ase_database import ase_source

            return ase_source(config)
        case JsonPoolConfig():
            from surrogates.pools.sources.json_file import json_source

            return json_source(config)
        case _:
            assert_never(config)
