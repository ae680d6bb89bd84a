"""Finds the fuzz targets: every `fuzz_*.py` of this folder with its `seeds` and its `one`.

The first comment of each file is the invariant that it holds. A crash that was ever found is kept as a file in
`crashes/<target>/` and is a seed like the others, so `test_seeds` replays it for ever.
"""

import hashlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

FOLDER: Final = Path(__file__).parent
CRASHES: Final = FOLDER / "crashes"


def names() -> list[str]:
    """Return the names of all targets, without the `fuzz_`."""
    return sorted(path.stem.removeprefix("fuzz_") for path in FOLDER.glob("fuzz_*.py"))


def load(name: str) -> ModuleType:
    """Import a target."""
    return importlib.import_module(f"tests.fuzz.fuzz_{name}")


def seeds(name: str) -> Iterator[bytes]:
    """Yield what a target begins with: its own seeds and every crash that it ever found."""
    yield from load(name).seeds()
    yield from (path.read_bytes() for path in sorted((CRASHES / name).glob("*")))


def write_corpus(name: str, folder: Path) -> int:
    """Write the seeds as files, one each, named by their hash; return how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds(name):
        (folder / hashlib.sha256(seed).hexdigest()[:20]).write_bytes(seed)
    return len(list(folder.iterdir()))
