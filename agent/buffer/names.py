"""What the names in a folder of segments say. Pure.

`<id>.seg` is a segment, `<id>.json` its sidecar; `.tmp` after either: not durable yet.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from agent.core.ids import Id, is_id

SEGMENT: Final = ".seg"
SIDECAR: Final = ".json"
TEMPORARY: Final = ".tmp"


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies in the folder.

    Attributes:
        complete: ids with both files, in order of name.
        half: names of temporary files, of sidecars without a segment, and of segments whose sidecar still has
            its temporary name: a write or a removal that a power cut ended, its renames in either order. They
            were never told to anyone and may be deleted.
        lone: ids of segments that have no sidecar at all. Their keys are in the index, or nowhere.
        foreign: every other name: what nothing here explains.
    """

    complete: tuple[Id, ...]
    half: tuple[str, ...]
    lone: tuple[Id, ...]
    foreign: tuple[str, ...]


def sort_names(names: AbstractSet[str]) -> Scan:
    """Tell complete, half, lone and foreign names apart."""
    complete, half, lone, foreign = [], [], [], []
    for name in sorted(names):
        stem, ending = PurePath(name).stem, PurePath(name).suffix
        if ending == TEMPORARY and is_id(PurePath(stem).stem):
            half.append(name)
        elif ending == SEGMENT and is_id(stem) and stem + SIDECAR in names:
            complete.append(stem)
        elif ending == SEGMENT and is_id(stem) and stem + SIDECAR + TEMPORARY in names:
            half.append(name)
        elif ending == SEGMENT and is_id(stem):
            lone.append(stem)
        elif ending == SIDECAR and is_id(stem):
            if stem + SEGMENT not in names:
                half.append(name)
        else:
            foreign.append(name)
    return Scan(tuple(complete), tuple(half), tuple(lone), tuple(foreign))


def names_of(id_: Id) -> tuple[str, str]:
    """Return the names of the two files of a segment: the segment first."""
    return f"{id_}{SEGMENT}", f"{id_}{SIDECAR}"
