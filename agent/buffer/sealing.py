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

_CHUNK_BYTES: Final = 64 * 1024  # in the cache, and below what malloc takes from the kernel anew each time
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
        meta: of the segment; mp4: the film that went in.
        file: the whole segment file, in the sealer's buffer.
    """

    meta: SegmentMeta
    mp4: bytes
    file: memoryview
    _cek: bytes = field(repr=False)
    _sha256: Future[Sha256]
    _sha256_plain: Future[Sha256]

    def prove(self, recipients: Sequence[Recipient]) -> Sidecar:
        """Open the file again, compare, and seal its key to the recipients.

        Args:
            recipients: at least one; keys that were checked when they were loaded.

        Raises:
            BugError: no recipient, or the file does not open to what went in.
        """
        if not recipients:
            raise BugError("a segment without a recipient could never be opened")
        self._open_again()
        stanzas = tuple(
            Stanza(one.kid, hpke_seal(one.pub, self._cek, stanza_info(self.meta.id, one.kid)))
            for one in recipients
        )
        return Sidecar(
            id=self.meta.id,
            sha256=self._sha256.result(),
            bytes=len(self.file),
            sha256_plain=self._sha256_plain.result(),
            stanzas=stanzas,
        )

    def _open_again(self) -> None:
        """Open the file piece by piece, and compare each while it is in the cache."""
        meta, meta_raw, sealed = split(self.file)
        if meta != self.meta:
            raise BugError(f"segment {self.meta.id} carries another meta")
        decryptor = Cobblestone128Decryptor(self._cek, segment_context(meta_raw))
        buffer = bytearray(_CHUNK_BYTES + _TAG_ROOM_BYTES)
        at = 0
        try:
            for start in range(0, len(sealed), _CHUNK_BYTES):
                chunk = sealed[start : start + _CHUNK_BYTES]
                count = decryptor.update_into(chunk, buffer)
                self._compare(at, buffer[:count])
                at += count
            tail = decryptor.finalize()
        except InvalidTag as exc:
            raise BugError(f"segment {meta.id} does not open again") from exc
        self._compare(at, tail)
        if at + len(tail) != len(self.mp4):
            raise BugError(f"segment {meta.id} opens to another length")

    def _compare(self, at: int, opened: bytes | bytearray) -> None:
        if self.mp4[at : at + len(opened)] != opened:
            raise BugError(f"segment {self.meta.id} opens to something else")


def draft_segment(sealer: Sealer, meta: SegmentMeta, mp4: bytes, hashing: Executor) -> Draft:
    """Seal a film under a fresh key; `prove` has to follow before it may be trusted.

    Args:
        sealer: its buffer holds the file until its next use.
        meta: of the segment.
        mp4: the film.
        hashing: two threads for the two hashes, which are most of the work and wait for nothing.

    Raises:
        RefusedError: E_SIZE when the segment is too large.
    """
    plain = hashing.submit(sha256_hex, mp4)
    cek = new_cek()
    file = sealer.seal(encode_meta(meta), mp4, cek)
    return Draft(meta, mp4, file, cek, hashing.submit(sha256_hex, file), plain)
