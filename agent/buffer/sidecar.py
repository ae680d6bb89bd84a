"""The small file beside a segment: its hashes, and its key sealed to each recipient (protocol section 9).

Pure: bytes in, a frozen value out. The stanzas are not in the segment file, because that one is immutable and
recipients come and go.
"""

from dataclasses import dataclass
from typing import Final

from agent.core.encoding import b64, unb64
from agent.core.errors import RefusedError
from agent.core.ids import Id, Kid, Sha256, is_id, is_kid, is_sha256
from agent.core.seal import WRAP_BYTES
from agent.core.segment_file import MAX_FILE_BYTES
from agent.core.strict_json import Json, closed, dump, is_integer, parse

MAX_SIDECAR_BYTES: Final = 64 * 1024  # 200 bytes for each stanza: room for about 300 recipients
_KEYS: Final = frozenset({"v", "id", "sha256", "bytes", "sha256_plain", "stanzas"})


@dataclass(frozen=True, slots=True)
class Stanza:
    """A segment's key, sealed to one recipient.

    Attributes:
        kid: the recipient's open key.
        stanza: 64 bytes, `enc ∥ ciphertext`.
    """

    kid: Kid
    stanza: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What is known of a segment file beside itself.

    Attributes:
        id: the segment.
        sha256: of the whole segment file; bytes: its length.
        sha256_plain: of the MP4 inside.
        stanzas: one for each recipient, no kid twice.
    """

    id: Id
    sha256: Sha256
    bytes: int
    sha256_plain: Sha256
    stanzas: tuple[Stanza, ...]


def encode_sidecar(sidecar: Sidecar) -> bytes:
    """Write a sidecar as the bytes of its file."""
    return dump(
        {
            "v": 1,
            "id": sidecar.id,
            "sha256": sidecar.sha256,
            "bytes": sidecar.bytes,
            "sha256_plain": sidecar.sha256_plain,
            "stanzas": [{"kid": one.kid, "stanza": b64(one.stanza)} for one in sidecar.stanzas],
        }
    )


def parse_sidecar(raw: bytes) -> Sidecar:
    """Parse the bytes of a sidecar.

    Raises:
        RefusedError: E_SIZE, E_JSON, or E_SIDECAR when a field has the wrong form or a recipient is named twice.
    """
    value = closed(parse(raw, max_bytes=MAX_SIDECAR_BYTES), _KEYS, "E_SIDECAR", "the sidecar")
    id_, sha256, plain = value["id"], value["sha256"], value["sha256_plain"]
    size, stanzas = value["bytes"], value["stanzas"]
    if (
        not is_integer(value["v"], low=1, high=1)
        or not is_id(id_)
        or not is_sha256(sha256)
        or not is_sha256(plain)
        or not isinstance(size, int)
        or not is_integer(size, low=1, high=MAX_FILE_BYTES)
        or not isinstance(stanzas, list)
    ):
        raise RefusedError("E_SIDECAR", "a field of the sidecar has the wrong form")
    parsed = tuple(_stanza(one) for one in stanzas)
    if len({one.kid for one in parsed}) != len(parsed):
        raise RefusedError("E_SIDECAR", "a recipient is named twice in the sidecar")
    return Sidecar(id=id_, sha256=sha256, bytes=size, sha256_plain=plain, stanzas=parsed)


def _stanza(value: Json) -> Stanza:
    fields = closed(value, frozenset({"kid", "stanza"}), "E_SIDECAR", "a stanza")
    kid, text = fields["kid"], fields["stanza"]
    if not is_kid(kid):
        raise RefusedError("E_SIDECAR", "a stanza of the sidecar names no recipient")
    try:
        return Stanza(kid, unb64(text, length=WRAP_BYTES))
    except ValueError as exc:
        raise RefusedError("E_SIDECAR", f"a stanza of the sidecar is {exc}") from exc
