"""Embeddings of a whole pool: one memory-mapped array beside the pool's own files."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import numpy as np

from campaigns.errors import ModelError
from campaigns.lab.laboratory import ComputeConfig
from surrogates.features.embeddings import AnyEmbedder, Embedder, Embeddings, Energies, Energy, Keyed, Progress, embed
from surrogates.parallel.scheduling import HERE
from surrogates.pools.pool import Pool


def embed_pool(
    pool: Pool,
    model: Embedder[Energy],
    progress: Progress | None = None,
    compute: ComputeConfig = HERE,
) -> Embeddings[Energy]:
    """Return what the model says of each entry's structure.

    Where the pool has a folder, the rows are kept there as arrays, by the model's name and version and the pool's
    fingerprint: the vectors that are returned are a read-only map of the file, and a second call reads nothing else.

    Args:
        pool: n entries, loaded one at a time and only where the cache lacks them.
        model: where the numbers come from.
        progress: as in ``embed``.
        compute: where missing rows are computed.

    Raises:
        ModelError: as in ``embed``, or the arrays cannot be read or written.
    """
    crystals = Keyed(lambda place: pool.entries[place].structure, pool.keys)
    if pool.folder is None:
        return embed(crystals, model, progress=progress, compute=compute)
    arrays = _Arrays.of(pool, pool.folder, model)
    if not arrays.complete:
        arrays.write(embed(crystals, model, progress=progress, compute=compute))
    return cast(Embeddings[Energy], arrays.read(len(pool)))


@dataclass(frozen=True, slots=True)
class _Arrays:
    """The files of one model's results for one pool.

    Attributes:
        vectors: n x d numbers in float32.
        energy: n numbers in float64, or none for a model without energies.
    """

    vectors: Path
    energy: Path

    @classmethod
    def of(cls, pool: Pool, folder: Path, model: AnyEmbedder) -> Self:
        """Return the files, whether they exist or not."""
        content = "\n".join((model.name, model.version, pool.fingerprint()))
        readable = re.sub(r"[^A-Za-z0-9.]+", "-", model.name).strip("-.")[:60]
        stem = f"{readable}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        return cls(folder / "features" / f"{stem}.npy", folder / "features" / f"{stem}.energy.npy")

    @property
    def complete(self) -> bool:
        """Whether both are there; the vectors come last."""
        return self.vectors.exists() and self.energy.exists()

    def write(self, found: Embeddings[Energies | None]) -> None:
        """Write both, each whole or not at all.

        Raises:
            ModelError: they cannot be written.
        """
        energy = np.zeros(0) if found.energy is None else found.energy
        try:
            self.vectors.parent.mkdir(exist_ok=True)
            for path, array in ((self.energy, energy), (self.vectors, found.vectors)):
                part = path.with_suffix(f".{os.getpid()}.part")
                with part.open("wb") as file:
                    np.save(file, array)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(path)
        except OSError as error:
            raise ModelError(f"cannot write {self.vectors} ({error.strerror}); make its folder writable") from error

    def read(self, entries: int) -> Embeddings[Energies | None]:
        """Return the vectors as a map of the file.

        Raises:
            ModelError: a file is damaged.
        """
        try:
            vectors, energy = np.load(self.vectors, mmap_mode="r"), np.load(self.energy)
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(str(error)) from error
        if len(vectors) != entries or len(energy) not in (0, entries):
            raise self._damaged(f"{len(vectors)} and {len(energy)} rows for {entries} entries")
        return Embeddings(energy if len(energy) else None, vectors)

    def _damaged(self, reason: str) -> ModelError:
        files = f"{self.vectors} and {self.energy.name}"
        return ModelError(f"{files} are damaged ({reason}); delete them, and they are made again")
