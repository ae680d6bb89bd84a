"""An MP4 in RAM to a sealed segment and its sidecar (protocol section 9). Pure: nothing is written here.

A fresh key for each segment, sealed to every recipient; what was sealed is opened again with that key and
compared before anyone may trust it. The key lives in two calls of this module and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.buffer.sidecar import Sidecar, Stanza
from agent.core.errors import BugError, RefusedError
from agent.core.ids import Kid, sha256_hex
from agent.core.seal import hpke_seal, new_cek, stanza_info
from agent.core.segment_file import Sealer, SegmentMeta, encode_meta, open_segment


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who can open what is recorded.

    Attributes:
        kid: of its open key.
        pub: the raw 32-byte X25519 key.
        kind: phone, recovery or button.
    """

    kid: Kid
    pub: bytes
    kind: str


def seal_segment(
    sealer: Sealer, meta: SegmentMeta, mp4: bytes, recipients: Sequence[Recipient]
) -> tuple[Sidecar, memoryview]:
    """Seal a segment to its recipients.

    Args:
        sealer: its buffer holds the answer until its next use.
        meta: of the segment.
        mp4: the film.
        recipients: at least one; keys that were checked when they were loaded.

    Returns:
        The sidecar and the whole segment file.

    Raises:
        BugError: no recipient, or what was sealed does not open to what went in.
        RefusedError: E_SIZE when the segment is too large.
    """
    if not recipients:
        raise BugError("a segment without a recipient could never be opened")
    cek = new_cek()
    file = sealer.seal(encode_meta(meta), mp4, cek)
    try:
        opened = open_segment(file, cek)
    except RefusedError as exc:
        raise BugError(f"segment {meta.id} does not open again: {exc}") from exc
    if opened != (meta, mp4):
        raise BugError(f"segment {meta.id} opens to something else")
    stanzas = tuple(Stanza(one.kid, hpke_seal(one.pub, cek, stanza_info(meta.id, one.kid))) for one in recipients)
    sidecar = Sidecar(
        id=meta.id,
        sha256=sha256_hex(file),
        bytes=len(file),
        sha256_plain=sha256_hex(mp4),
        stanzas=stanzas,
    )
    return sidecar, file
