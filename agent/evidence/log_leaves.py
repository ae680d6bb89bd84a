"""The log entries that a bundle shows, each with its place in the device's log: protocol sections 13 and 14."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from agent.core.ids import Id, Kid, Sha256
from agent.core.strict_json import MAX_INTEGER, Json, parse
from agent.evidence.forms import (
    BASE64,
    COUNT,
    ID,
    KEY,
    KID,
    SHA256,
    STRING,
    TIME_MS,
    TIME_S,
    Form,
    list_of,
    octets,
    one_of,
    read,
    whole,
)

MAX_ENTRY_BYTES: Final = 65_536
MAX_LEAVES: Final = 4_096
MAX_PROOF: Final = 64  # a log of 2^64 entries
HASH_BYTES: Final = 32

_LEAF_FORM: Final[Form] = {"n": COUNT, "entry": BASE64, "proof": list_of(octets(HASH_BYTES), 0, MAX_PROOF)}
_HEAD: Final[Form] = {"n": COUNT, "at": TIME_S, "t": STRING}
_ENTRY_FORMS: Final[dict[str, Form]] = {
    "paired": {**_HEAD, "phone": KID, "sign_pub": KEY, "open_pub": KEY},
    "admitted": {**_HEAD, "phone": KID},
    "consent": {**_HEAD, "request": ID, "sha256": SHA256},
    "key": {**_HEAD, "name": one_of("device", "button"), "pub": KEY},
    "clock": {
        **_HEAD,
        "boot": ID,
        "offset_ms": whole(-MAX_INTEGER, MAX_INTEGER),
        "state": STRING,
    },
    "segment": {
        **_HEAD,
        "id": ID,
        "clip": ID,
        "i": COUNT,
        "start_ms": TIME_MS,
        "end_ms": TIME_MS,
        "clock": one_of("synced", "unsynced", "suspect"),
        "bytes": COUNT,
        "sha256": SHA256,
        "sha256_plain": SHA256,
    },
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A log entry's bytes, its index, and its audit path; nothing of it is proved yet."""

    n: int
    entry: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEntry:
    """What the log says of a segment."""

    n: int
    at_s: int
    id: Id
    clip: Id
    i: int
    start_ms: int
    end_ms: int
    clock: str
    size_bytes: int
    sha256: Sha256
    sha256_plain: Sha256


@dataclass(frozen=True, slots=True)
class PhoneEntry:
    """A phone's pairing (with its sign key) or its admission (without)."""

    n: int
    at_s: int
    phone: Kid
    sign_public: bytes | None


@dataclass(frozen=True, slots=True)
class Log:
    """The entries that the leaves of a bundle hold, by kind; `clocks` are (n, offset_ms) of a boot, n rising."""

    segments: dict[Id, SegmentEntry]
    paired: dict[Kid, PhoneEntry]
    admitted: dict[Kid, PhoneEntry]
    consents: dict[Sha256, tuple[int, Id]]
    buttons: dict[bytes, int]
    clocks: dict[Id, list[tuple[int, int]]]

    def offset_ms(self, boot: Id, segment_n: int) -> int | None:
        """Return the offset that maps a segment of `boot`, or None where no entry does (section 16).

        As the device maps: by the last `clock` entry before the segment's own, or, where there was none yet, by
        the first after it.
        """
        before: int | None = None
        for n, offset_ms in self.clocks.get(boot, ()):
            if n > segment_n:
                return offset_ms if before is None else before
            before = offset_ms
        return before


def parse_leaf(value: Json) -> Leaf:
    """Parse one leaf of a submission.

    Raises:
        RefusedError: E_SCHEMA.
    """
    item = read(value, _LEAF_FORM, "a leaf")
    proof = tuple(unb64(step) for step in cast("list[Json]", item["proof"]))
    return Leaf(cast("int", item["n"]), unb64(item["entry"]), proof)


def _add_segment(log: Log, n: int, item: dict[str, Json]) -> None:
    entry = SegmentEntry(
        n=n,
        at_s=cast("int", item["at"]),
        id=Id(cast("str", item["id"])),
        clip=Id(cast("str", item["clip"])),
        i=cast("int", item["i"]),
        start_ms=cast("int", item["start_ms"]),
        end_ms=cast("int", item["end_ms"]),
        clock=cast("str", item["clock"]),
        size_bytes=cast("int", item["bytes"]),
        sha256=Sha256(cast("str", item["sha256"])),
        sha256_plain=Sha256(cast("str", item["sha256_plain"])),
    )
    if log.segments.setdefault(entry.id, entry) is not entry:
        raise RefusedError("E_LOG", "the log names a segment twice")


def _add(log: Log, n: int, item: dict[str, Json]) -> None:
    at_s = cast("int", item["at"])
    match item["t"]:
        case "segment":
            _add_segment(log, n, item)
        case "paired":
            phone = Kid(cast("str", item["phone"]))
            log.paired[phone] = PhoneEntry(n, at_s, phone, unb64(item["sign_pub"]))
        case "admitted":
            phone = Kid(cast("str", item["phone"]))
            log.admitted[phone] = PhoneEntry(n, at_s, phone, None)
        case "consent":
            log.consents[Sha256(cast("str", item["sha256"]))] = (n, Id(cast("str", item["request"])))
        case "key" if item["name"] == "button":
            log.buttons[unb64(item["pub"])] = n
        case "clock":
            log.clocks.setdefault(Id(cast("str", item["boot"])), []).append((n, cast("int", item["offset_ms"])))


def read_log(leaves: Iterable[Leaf]) -> Log:
    """Read the entries of the leaves, in the log's order.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SCHEMA; E_LOG when two stand at one place or an entry names another place.
    """
    log = Log({}, {}, {}, {}, {}, {})
    seen: set[int] = set()
    for leaf in sorted(leaves, key=lambda leaf: leaf.n):
        if leaf.n in seen:
            raise RefusedError("E_LOG", f"two log entries stand at place {leaf.n}")
        seen.add(leaf.n)
        value = parse(leaf.entry, max_bytes=MAX_ENTRY_BYTES)
        kind = value.get("t") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in _ENTRY_FORMS:
            raise RefusedError("E_LOG", f"the log entry at {leaf.n} is of a kind that no bundle holds")
        item = read(value, _ENTRY_FORMS[kind], f"the log entry at {leaf.n}")
        if item["n"] != leaf.n:
            raise RefusedError("E_LOG", f"the log entry at {leaf.n} says that it stands elsewhere")
        _add(log, leaf.n, item)
    return log
