"""What the agency does with a bundle: verify it, open it, and see that a forged one is found out."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av

from demo.doorbell import DoorbellFailedError, doorbell

if TYPE_CHECKING:
    from pathlib import Path

FAILS = "FAILS"


@dataclass(frozen=True)
class Evidence:
    """A bundle with what it takes to judge it; everything lies in one folder.

    Attributes:
        folder: Where all of it is.
        bundle: What the upload server kept.
        root: The TUF root that the agency trusts.
        key: The agency's enc key.
    """

    folder: Path
    bundle: Path
    root: Path
    key: Path

    @property
    def opened(self) -> Path:
        """Where films and report are, after `open`."""
        return self.folder / "evidence"

    def verify(self, bundle: Path | None = None) -> tuple[bool, list[str]]:
        """Run `doorbell verify`; whether all claims hold, and its lines."""
        done = doorbell("verify", bundle or self.bundle, "--root", self.root, "--key", self.key, check=False)
        lines = [line for line in done.stdout.splitlines() if line]
        if not lines:
            raise DoorbellFailedError(f"doorbell verify: {done.stderr.strip() or 'it said nothing'}")
        return done.returncode == 0, lines

    def open(self) -> tuple[list[Path], Path]:
        """Run `doorbell open`; the films and the report."""
        shutil.rmtree(self.opened, ignore_errors=True)
        doorbell("open", self.bundle, "--key", self.key, "--root", self.root, "--out", self.opened)
        films, report = sorted(self.opened.glob("*.mp4")), self.opened / "report.html"
        if not films or not report.exists():
            raise DoorbellFailedError("doorbell open wrote no film or no report")
        return films, report

    def forged(self, folder: Path) -> tuple[Path, int]:
        """A copy of the bundle in `folder` in which one byte of a segment is changed; which byte."""
        copy = folder / "forged"
        shutil.copytree(self.bundle, copy)
        victim = min((copy / "segments").glob("*.seg"))
        body = bytearray(victim.read_bytes())
        position = len(body) // 2
        body[position] ^= 1
        victim.write_bytes(body)
        return copy, position


def collect(folder: Path, bundle: Path, root: Path, key_pem: bytes) -> Evidence:
    """Bring a bundle and the agency's keys together in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    evidence = Evidence(folder, folder / "bundle", folder / "root.json", folder / "agency-enc.pem")
    shutil.copytree(bundle, evidence.bundle, dirs_exist_ok=True)
    shutil.copy(root, evidence.root)
    evidence.key.touch(mode=0o600)
    evidence.key.write_bytes(key_pem)
    return evidence


def watched(film: Path) -> tuple[float, int]:
    """Decode a film from its first to its last frame; how long it is, and how many frames.

    Raises:
        DoorbellFailedError: it does not play.
    """
    times: list[float] = []
    try:
        with av.open(str(film)) as container:
            times = [float(frame.time) for frame in container.decode(video=0)]
    except av.FFmpegError as error:
        raise DoorbellFailedError(f"{film} does not play: {error}") from error
    if len(times) < 2:
        raise DoorbellFailedError(f"{film} does not play")
    return times[-1] - times[0], len(times)
