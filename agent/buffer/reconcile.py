"""What the start-up does with what it finds: a pure comparison of folder and index.

Index and log are written in one transaction, so they can't differ; folder and index can, by what was going on
when the power went. Every difference has one explanation or none:

| in the folder | in the index | so |
|---|---|---|
| complete | no, and not leaving | the vault was down when it was sealed: check it, then index it |
| complete, or only a part | leaving | its eviction was committed: delete it |
| half | any | a write or removal was cut: delete the half |
| without a sidecar | yes | the index has its keys: nothing is lost |
| without a sidecar | no | its write was cut, and nobody has its key: delete it |
| complete, of another length | yes | nothing explains it: quarantine, and it is missing |
| no | yes | nothing explains it: missing, to be evicted and told |
| any other name | no | nothing explains it: quarantine |
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.buffer.names import names_of
from agent.core.ids import Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The folder, as `SegmentFolder.scan` and `SegmentFolder.size` saw it.

    Attributes:
        complete: bytes of every segment that has its sidecar, by id.
        half: names of temporary files and lone sidecars.
        lone: bytes of every segment that has no sidecar, by id.
        foreign: every other name.
    """

    complete: Mapping[Id, int]
    half: tuple[str, ...]
    lone: Mapping[Id, int]
    foreign: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What has to be done, in this order, each step safe to repeat.

    Attributes:
        delete: evicted segments whose files are still to go, or to be forgotten.
        delete_names: halves and segments that nobody can open, to delete.
        quarantine: ids of pairs that are not what the index says.
        quarantine_names: files that nothing explains.
        missing: ids in the index whose files are gone or quarantined: evict them and say so.
        index: ids to check and index; one that fails the check goes to the quarantine too.
    """

    delete: tuple[Id, ...]
    delete_names: tuple[str, ...]
    quarantine: tuple[Id, ...]
    quarantine_names: tuple[str, ...]
    missing: tuple[Id, ...]
    index: tuple[Id, ...]


def reconcile(found: Found, indexed: Mapping[Id, int], leaving: Iterable[Id]) -> Repair:
    """Compare folder and index.

    Args:
        found: the folder.
        indexed: bytes of every segment in the index, by id.
        leaving: evicted, their files perhaps not gone.
    """
    going = frozenset(leaving)
    present = {**found.lone, **found.complete}
    changed = tuple(one for one, size in present.items() if indexed.get(one, size) != size and one not in going)
    lost = tuple(names_of(one)[0] for one in found.lone if one not in indexed and one not in going)
    return Repair(
        delete=tuple(sorted(going)),
        delete_names=found.half + lost,
        quarantine=tuple(one for one in changed if one in found.complete),
        quarantine_names=found.foreign + tuple(names_of(one)[0] for one in changed if one in found.lone),
        missing=tuple(one for one in indexed if one not in present) + changed,
        index=tuple(one for one in found.complete if one not in indexed and one not in going),
    )
