"""The store's segments, opened with the recovery key on any machine: one MP4 for each clip. Does the I/O.

Needs the folder and the key, nothing else: no index, no vault, no network. What can't be opened is told, and the
rest is opened all the same.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.buffer.segment_files import SegmentFolder
from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id, kid_of, sha256_hex
from agent.core.keys import raw_public
from agent.core.seal import open_cek, stanza_info
from agent.core.segment_file import SegmentMeta, join_mp4, open_segment, split_init


@dataclass(frozen=True, slots=True)
class OpenedClip:
    """One clip that was written as an MP4.

    Attributes:
        clip: its id; path: of the MP4.
        start_ms, end_ms: UTC as recorded; clock: how far that could be trusted.
        segments: how many were joined; missing: how many of its first ones or between are not there.
    """

    clip: Id
    path: Path
    start_ms: int
    end_ms: int
    clock: str
    segments: int
    missing: int


@dataclass(frozen=True, slots=True)
class OpenedStore:
    """What came of opening a folder.

    Attributes:
        clips: in order of time.
        unopened: why, for each segment that did not open, by id.
    """

    clips: tuple[OpenedClip, ...]
    unopened: dict[Id, str]


def open_clips(folder: Path, recovery: X25519PrivateKey, into: Path) -> OpenedStore:
    """Open every segment of a folder and write each clip as `<start UTC ms>-<clip>.mp4`.

    Args:
        folder: of sealed segments and their sidecars.
        recovery: the recovery key, or the open key of any other recipient.
        into: an existing folder for the films.

    Raises:
        TroubleError: the folder can't be read, or the films can't be written.
    """
    metas: dict[Id, list[SegmentMeta]] = defaultdict(list)
    unopened: dict[Id, str] = {}
    done: list[OpenedClip] = []
    with SegmentFolder(folder) as store:
        scan = store.scan()
        unopened.update((id_, "its sidecar, which holds its keys, is gone") for id_ in scan.lone)
        for id_ in scan.complete:
            try:
                meta, _ = store.check(id_)
                metas[meta.clip].append(meta)
            except (RefusedError, TroubleError) as exc:
                unopened[id_] = str(exc)
        for clip in sorted(metas.values(), key=lambda found: min((one.start_ms, one.mono_ms) for one in found)):
            films: list[tuple[SegmentMeta, bytes]] = []
            for meta in sorted(clip, key=lambda one: one.n):
                try:
                    films.append((meta, _film(store, meta.id, recovery)))
                except (RefusedError, TroubleError) as exc:
                    unopened[meta.id] = str(exc)
            if films:
                try:
                    done.append(_write(films, into))
                except RefusedError as exc:
                    unopened.update((meta.id, str(exc)) for meta, _ in films)
    return OpenedStore(tuple(done), unopened)


def _film(store: SegmentFolder, id_: Id, private: X25519PrivateKey) -> bytes:
    """Open one segment.

    Raises:
        RefusedError: E_SEAL or E_SEGMENT, when it does not open, or to another film than its sidecar says, or to
            no film.
        TroubleError: it can't be read.
    """
    sidecar = store.read_sidecar(id_)
    kid = kid_of(raw_public(private.public_key()))
    stanza = next((one.stanza for one in sidecar.stanzas if one.kid == kid), None)
    if stanza is None:
        raise RefusedError("E_SEAL", "not sealed to this key: it was no recipient then")
    _, film = open_segment(store.read(id_), open_cek(private, stanza, stanza_info(id_, kid)))
    if sha256_hex(film) != sidecar.sha256_plain:
        raise RefusedError("E_SEGMENT", "opens to another film than its sidecar says")
    split_init(film)
    return film


def _write(films: list[tuple[SegmentMeta, bytes]], into: Path) -> OpenedClip:
    """Join a clip's films and write them.

    Raises:
        RefusedError: E_SEGMENT, when they are not of one stream.
        TroubleError: the disk takes no more.
    """
    first, last = films[0][0], films[-1][0]
    path = into / f"{first.start_ms}-{first.clip}.mp4"
    try:
        path.write_bytes(join_mp4([film for _, film in films]))
    except OSError as exc:
        raise TroubleError(
            "storage-failed", f"{path}: {exc.strerror}; make room or choose another folder"
        ) from exc
    return OpenedClip(
        clip=first.clip,
        path=path,
        start_ms=first.start_ms,
        end_ms=last.end_ms,
        clock=first.clock,
        segments=len(films),
        missing=last.n + 1 - len(films),
    )
