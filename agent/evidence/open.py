"""Open a bundle: films, single segments and the report, into a folder that is made for them.

Every claim is judged on the way, and only a film that is granted, logged and opened is written. What fails is told
in the report and by the answer; what holds is still written, for whoever has to judge it.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id, Sha256
from agent.core.seal import contact_info, hpke_open
from agent.core.segment_file import MAX_FILE_BYTES, SegmentMeta, split_init
from agent.core.strict_json import parse
from agent.core.text import is_text
from agent.evidence.bundle_folder import BundleFolder, read_file
from agent.evidence.report import Film, Report, Zone, make_report
from agent.evidence.report_html import render
from agent.evidence.segments import Shown, by_clip
from agent.evidence.verify import Verdict, judge

MAX_CONTACT: Final = 80  # section 11
MAX_CONTACT_BYTES: Final = 4_096
CONTACT_FIELDS: Final = ("name", "phone", "email", "address")


@dataclass(frozen=True, slots=True)
class Opened:
    """What was written, and whether everything held."""

    out: Path
    report: Report
    films: tuple[Path, ...]


def open_bundle(
    path: Path, key: X25519PrivateKey, out: Path, time_zone: ZoneInfo, root: bytes | None = None
) -> Opened:
    """Judge the bundle in `path` and write all that opens into `out`.

    Args:
        path: the bundle's folder.
        key: the agency's private enc key.
        out: a folder that does not exist yet, or is empty.
        time_zone: in which the report shows times, beside UTC.
        root: TUF root metadata that the caller trusts; without it the directory is not judged.

    Raises:
        TroubleError: a folder is missing, not empty or can't be written.
    """
    bundle = BundleFolder(path)
    try:
        _make(out)
        verdict = judge(bundle, root, key, keep=lambda meta, mp4: _write_segment(out, meta, mp4))
        problems: list[str] = []
        films = {
            clip: _join(out, number, clip, items, problems)
            for number, (clip, items) in enumerate(by_clip(verdict.segments).items(), 1)
        }
        zone = Zone(time_zone.key or "local time", time_zone)
        report = make_report(verdict, films, _contacts(verdict, key), problems, zone)
        _write(out / "report.json", [json.dumps(asdict(report), indent=1, ensure_ascii=False).encode()])
        _write(out / "report.html", [render(report).encode()])
    except OSError as exc:
        raise TroubleError("out", f"{out} can't be written: {(exc.strerror or 'unknown').lower()}") from exc
    return Opened(out, report, tuple(out / film.name for film in films.values() if film.name is not None))


def _make(out: Path) -> None:
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise TroubleError("out", f"{out} is not empty: give a new folder with --out")
    (out / "segments").mkdir(mode=0o700)


def _write(path: Path, parts: Iterable[bytes | memoryview]) -> Film:
    """Write a new file that only its owner reads, and hash it on the way."""
    digest = hashlib.sha256()
    size = 0
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
        for part in parts:
            file.write(part)
            digest.update(part)
            size += len(part)
    return Film(path.name, Sha256(digest.hexdigest()), size)


def _segment_path(out: Path, segment: Id) -> Path:
    return out / "segments" / f"{segment}.mp4"


def _write_segment(out: Path, meta: SegmentMeta, mp4: bytes) -> None:
    _write(_segment_path(out, meta.id), [mp4])


def _parts(out: Path, items: list[Shown]) -> Iterable[bytes | memoryview]:
    """Yield a clip's film piece by piece, so that one segment is in memory at a time (section 9, joined clip)."""
    init = b""
    for item in items:
        path = _segment_path(out, item.meta.id)
        mp4 = read_file(path, max_bytes=MAX_FILE_BYTES, what=path.name)
        if not init:
            init = split_init(mp4)
            yield mp4
        elif mp4[: len(init)] != init:
            raise RefusedError("E_SEGMENT", "its segments are of different films")
        else:
            yield memoryview(mp4)[len(init) :]


def _join(out: Path, number: int, clip: Id, items: list[Shown], problems: list[str]) -> Film:
    path = out / f"clip-{number}-{clip[:8]}.mp4"
    try:
        return _write(path, _parts(out, items))
    except RefusedError as exc:
        path.unlink()
        problems.append(f"clip {clip} could not be joined: {exc}; its segments are there one by one")
        return Film(None, None, 0)


def _contacts(verdict: Verdict, key: X25519PrivateKey) -> dict[Id, Mapping[str, str]]:
    """Open what the owner gave as a contact; one that doesn't open or follow its form is left out."""
    found: dict[Id, Mapping[str, str]] = {}
    for share in verdict.shares:
        if share.contact is None or verdict.asked is None:
            continue
        try:
            raw = hpke_open(key, share.contact, contact_info(verdict.asked.request.sha256))
            value = parse(raw, max_bytes=MAX_CONTACT_BYTES)
        except RefusedError:
            continue
        if isinstance(value, dict):
            found[share.id] = {
                name: str(value[name]) for name in CONTACT_FIELDS if is_text(value.get(name), limit=MAX_CONTACT)
            }
    return found
