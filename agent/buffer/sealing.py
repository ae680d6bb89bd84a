"""An MP4 in RAM to a sealed segment and its sidecar (protocol section 9). Pure: nothing is written here.

A fresh key for each segment, sealed to every recipient; what was sealed is opened again with that key and
compared before anyone may trust it. That proof is a step of its own, so that the disk can take the sealed bytes
meanwhile: they get their name only after it. The key lives in the draft and goes with it.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Final

from cryptography.cobblestone import Cobblestone128Decryptor
from cryptography.exceptions import InvalidTag

from agent.buffer.sidecar import Sidecar, Stanza
from agent.core.errors import BugError
from agent.core.ids import Kid, Sha256, sha256_hex
from agent.core.seal import hpke_seal, new_cek, stanza_info
from agent.core.segment_file import Sealer, SegmentMeta, encode_meta, segment_context, split

_CHUNK_BYTES: Final = 128 * 1024  # stays in the cache
_TAG_ROOM_BYTES: Final = 32 * 1024  # what a decryptor may hold back from one update to the next


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


@dataclass(frozen=True, slots=True)
class Draft:
    """A sealed segment that was not proved yet.

    Attributes:
        meta: of the segment.
        file: the whole segment file, in the sealer's buffer.
    """

    meta: SegmentMeta
    file: memoryview
    _cek: bytes = field(repr=False)
    _sha256_plain: Future[Sha256]
    _opened: Future[None]

    def prove(self, recipients: Sequence[Recipient]) -> Sidecar:
        """Hash the file, seal its key to the recipients, and see that it opened again to what went in.

        Args:
            recipients: at least one; keys that were checked when they were loaded.

        Raises:
            BugError: no recipient, or the file does not open to what went in.
        """
        if not recipients:
            raise BugError("a segment without a recipient could never be opened")
        sha256 = sha256_hex(self.file)
        stanzas = tuple(
            Stanza(one.kid, hpke_seal(one.pub, self._cek, stanza_info(self.meta.id, one.kid)))
            for one in recipients
        )
        self._opened.result()
        return Sidecar(
            id=self.meta.id,
            sha256=sha256,
            bytes=len(self.file),
            sha256_plain=self._sha256_plain.result(),
            stanzas=stanzas,
        )


def draft_segment(sealer: Sealer, meta: SegmentMeta, mp4: bytes, beside: Executor) -> Draft:
    """Seal a film under a fresh key; `prove` has to follow before it may be trusted.

    Args:
        sealer: its buffer holds the file until its next use.
        meta: of the segment.
        mp4: the film.
        beside: one thread, which hashes the film and opens the file again. That is half of the work: more
            threads than two only take the processor from one another.

    Raises:
        RefusedError: E_SIZE when the segment is too large.
    """
    sha256_plain = beside.submit(sha256_hex, mp4)
    cek = new_cek()
    file = sealer.seal(encode_meta(meta), mp4, cek)
    return Draft(meta, file, cek, sha256_plain, beside.submit(_open_again, meta, mp4, file, cek))


def _open_again(meta: SegmentMeta, mp4: bytes, file: memoryview, cek: bytes) -> None:
    """Open the file piece by piece, and compare each with the film while it is in the cache."""
    found, meta_raw, sealed = split(file)
    if found != meta:
        raise BugError(f"segment {meta.id} carries another meta")
    decryptor = Cobblestone128Decryptor(cek, segment_context(meta_raw))
    buffer = memoryview(bytearray(_CHUNK_BYTES + _TAG_ROOM_BYTES))
    at = 0
    try:
        for start in range(0, len(sealed), _CHUNK_BYTES):
            count = decryptor.update_into(sealed[start : start + _CHUNK_BYTES], buffer)
            at = _compared(meta, mp4, at, buffer[:count])
        at = _compared(meta, mp4, at, decryptor.finalize())
    except InvalidTag as exc:
        raise BugError(f"segment {meta.id} does not open again") from exc
    if at != len(mp4):
        raise BugError(f"segment {meta.id} opens to another length")


def _compared(meta: SegmentMeta, mp4: bytes, at: int, opened: bytes | memoryview) -> int:
    """Return where the film goes on after `opened`, which must be what it has at `at`."""
    if not mp4.startswith(opened, at):  # compares without a copy
        raise BugError(f"segment {meta.id} opens to something else")
    return at + len(opened)
