"""The directory, verified by python-tuf: protocol section 4.

The vault has no network. It asks a `fetch` that was handed in for bytes of a closed set of paths, and whoever
answers may withhold, delay or replay: that delays a directory, it never widens one. What is held changes only as
a whole, after everything in it was verified; a failed refresh leaves the last good one, whose timestamp goes on
running out.

Calls block as long as `fetch` does, so they belong in a thread with a deadline. One lock orders them; what is
held is replaced at once and may be read at any time.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

from tuf.api.exceptions import DownloadHTTPError, RepositoryError
from tuf.api.metadata import Metadata, Root, Targets, Timestamp
from tuf.ngclient import Updater

from agent.consent.directory import (
    DirectoryView,
    Region,
    parse_agency,
    parse_platform,
    parse_region,
)
from agent.consent.forms import AGENCY, CELL
from agent.consent.tuf_fetcher import NOT_FOUND, Fetch, VaultFetcher, translated
from agent.core.errors import ConfigError, DoorbellError, RefusedError, TroubleError

MAX_LOOKED_UP: Final = 256  # agencies remembered under one platform.json; what fell out is looked up again
MAX_CACHED_FILES: Final = 64  # target files kept on the card
PLATFORM: Final = "platform.json"
_SNAPSHOT: Final = "metadata/snapshot.json"
_TOP_LEVEL: Final = ("timestamp", "snapshot", "targets")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Held:
    """One verified state: the view, and the bytes that prove it by their paths below the directory's URL."""

    updater: Updater
    fetcher: VaultFetcher  # the updater's: it asks whoever is handed in for each operation
    view: DirectoryView
    files: dict[str, bytes]  # root chain, timestamp, snapshot, targets, platform.json
    of_agency: dict[str, dict[str, bytes]] = field(default_factory=dict)  # delegated metadata and the file


class TufDirectory:
    """The directory as one doorbell holds it.

    Args:
        folder: where python-tuf keeps its trusted metadata; made if it is not there. One instance for each.
        root: the root metadata that was installed with the device, JSON.

    Raises:
        ConfigError: `root` is no TUF root metadata that verifies by itself.
        TroubleError: `directory-disk`.
    """

    def __init__(self, folder: Path, root: bytes) -> None:
        self._folder = folder
        self._root = root
        self._lock = threading.Lock()
        self._held: _Held | None = None
        with translated():
            folder.mkdir(parents=True, exist_ok=True)
        self._installed_version = _checked_root(root)

    @property
    def view(self) -> DirectoryView | None:
        """What is held now; None before the first refresh."""
        held = self._held
        return None if held is None else held.view

    def load(self) -> DirectoryView | None:
        """Take up what the folder holds, verified as if it were fetched; None where that is not enough.

        How old it is nobody knows: treat it as older than an hour.
        """
        try:
            return self.refresh(self._from_folder)
        except DoorbellError:
            return None

    def refresh(self, fetch: Fetch) -> DirectoryView:
        """Fetch and verify the newest state, and hold it.

        What was looked up stays looked up only while no target changed at all.

        Raises:
            RefusedError: `directory-refused` or `directory-path`: forged, rolled back, mixed, too large.
            TroubleError: `directory-expired`, `directory-missing`, `directory-disk`, or what `fetch` raised.
        """
        with self._lock, translated():
            return self._refresh(fetch).view

    def look_up_agency(self, fetch: Fetch, agency: str) -> DirectoryView:
        """Look an agency's file up under the held `platform.json`, refreshing once if the platform moved on.

        Returns:
            The view in which `agencies[agency]` is the file, or None where the directory has none.

        Raises:
            As `refresh`; the view then stays as it was.
        """
        if AGENCY.fullmatch(agency) is None:
            raise RefusedError("directory-path", "that is no agency's id")
        with self._lock, translated():
            return self._newest(fetch, lambda held: self._look_up(held, agency))

    def region(self, fetch: Fetch, cell: str) -> Region | None:
        """Return the list of a 3-cell's agencies, None where the directory has none; raises as `refresh`."""
        if CELL.fullmatch(cell) is None:
            raise RefusedError("directory-path", "that is no geohash of 3 characters")
        path = f"regions/{cell}.json"
        with self._lock, translated():
            raw = self._newest(fetch, lambda held: self._target(held.updater, path))
            return None if raw is None else _parsed(path, lambda: parse_region(raw, cell))

    def evidence_files(self, agency: str) -> dict[str, bytes]:
        """Return what a submission's `directory` needs to show this agency under the installed root.

        Paths as of section 13, without version or hash prefixes but metadata/<n>.root.json:
        the roots after the installed one, the other metadata and the two target files that were used.
        No other agency's file is in it: that would tell who else asked.

        Raises:
            TroubleError: `directory-missing`: the agency was not looked up under the state that is held now.
        """
        held = self._held
        if held is None or agency not in held.of_agency:
            raise TroubleError(
                "directory-missing", "The agency's file was not looked up yet. It is tried again by itself."
            )
        return held.files | held.of_agency[agency]

    def _newest(self, fetch: Fetch, action: Callable[[_Held], T]) -> T:
        """Run `action` on the held state, and once more on a fresh one when the platform moved on meanwhile."""
        if self._held is not None:
            self._held.fetcher.ask = fetch
            try:
                return action(self._held)
            except (RepositoryError, DownloadHTTPError):
                pass
        return action(self._refresh(fetch))

    def _refresh(self, fetch: Fetch) -> _Held:
        fetcher = VaultFetcher(fetch)
        updater = Updater(
            str(self._folder),
            "metadata/",
            target_base_url="targets/",
            fetcher=fetcher,  # it holds the ceilings of section 4, whatever a signed length says
            bootstrap=self._root,
        )
        updater.refresh()
        raw = self._target(updater, PLATFORM)
        if raw is None:
            raise RefusedError("directory-refused", "the directory has no platform.json")
        platform = _parsed(PLATFORM, lambda: parse_platform(raw))
        files = self._top_level() | {f"targets/{PLATFORM}": raw}
        timestamp = Metadata[Timestamp].from_bytes(files["metadata/timestamp.json"]).signed
        view = DirectoryView(platform, {}, int(timestamp.expires.timestamp()))
        fresh, before = _Held(updater, fetcher, view, files), self._held
        if before is not None and before.files[_SNAPSHOT] == files[_SNAPSHOT]:
            # The same snapshot names the same version of every target: what was looked up still holds, and the
            # platform is the same object, by which a caller sees that nothing changed but the timestamp.
            view = replace(before.view, timestamp_expires_s=view.timestamp_expires_s)
            fresh = replace(fresh, view=view, of_agency=before.of_agency)
        self._held = fresh
        return fresh

    def _look_up(self, held: _Held, agency: str) -> DirectoryView:
        path = f"agencies/{agency}.json"
        raw = self._target(held.updater, path)
        found = None if raw is None else _parsed(path, lambda: parse_agency(raw, agency))
        others = {name: value for name, value in held.view.agencies.items() if name != agency}
        for name in list(others)[: max(0, len(others) - MAX_LOOKED_UP + 1)]:
            del others[name]
        proofs = {name: files for name, files in held.of_agency.items() if name in others}
        if raw is not None:
            proofs[agency] = self._delegated(path) | {f"targets/{path}": raw}
        view = replace(held.view, agencies={**others, agency: found})
        self._held = replace(held, view=view, of_agency=proofs)
        return view

    def _target(self, updater: Updater, path: str) -> bytes | None:
        """Return a target file's verified bytes, from the folder or fetched; None where there is none."""
        info = updater.get_targetinfo(path)
        if info is None:
            return None
        local = self._folder / "targets" / path
        if updater.find_cached_target(info, str(local)) is None:
            _make_room(local.parent)
            updater.download_target(info, str(local))
        raw = local.read_bytes()
        info.verify_length_and_hashes(raw)
        return raw

    def _top_level(self) -> dict[str, bytes]:
        """Return the metadata that was just verified: later roots, timestamp, snapshot, targets."""
        current = Metadata[Root].from_bytes((self._folder / "root.json").read_bytes()).signed.version
        roots = range(self._installed_version + 1, current + 1)
        chain = {f"metadata/{n}.root.json": self._folder / "root_history" / f"{n}.root.json" for n in roots}
        others = {f"metadata/{role}.json": self._folder / f"{role}.json" for role in _TOP_LEVEL}
        return {name: path.read_bytes() for name, path in (chain | others).items()}

    def _delegated(self, target: str) -> dict[str, bytes]:
        """Return the delegated metadata on the way to a target that was found, as python-tuf walked it."""
        files: dict[str, bytes] = {}
        waiting, visited = [Targets.type], set[str]()
        while True:  # the target was found, so the walk ends at it
            role = waiting.pop()
            if role in visited:
                continue
            visited.add(role)
            files[f"metadata/{role}.json"] = (self._folder / f"{role}.json").read_bytes()
            signed = Metadata[Targets].from_bytes(files[f"metadata/{role}.json"]).signed
            if target in signed.targets:
                break
            # What a terminating delegation cuts off would only be visited after the target was found.
            children = signed.delegations.get_roles_for_target(target) if signed.delegations else ()
            waiting.extend(reversed([name for name, _ in children]))
        return files

    def _from_folder(self, path: str, _max_bytes: int) -> bytes:
        if path != "metadata/timestamp.json":  # all else python-tuf finds in the folder by itself
            raise RefusedError(NOT_FOUND, path)
        return (self._folder / "timestamp.json").read_bytes()


def _checked_root(root: bytes) -> int:
    """Return the version of the installed root; ConfigError when it doesn't verify by itself."""
    try:
        signed = Metadata[Root].from_bytes(root)
        if not isinstance(signed.signed, Root):
            raise ConfigError("[platform] root: it is TUF metadata of another role; the platform's bundle has it")
        signed.signed.verify_delegate(Root.type, signed.signed_bytes, signed.signatures)
    except RepositoryError as exc:
        raise ConfigError(f"[platform] root: {exc}; the platform's bundle has the right one") from exc
    return signed.signed.version


def _parsed(path: str, parse: Callable[[], T]) -> T:
    """Parse a verified target file; its platform wrote it wrong, so the error names the file."""
    try:
        return parse()
    except RefusedError as exc:
        raise RefusedError("directory-refused", f"{path}: {exc}") from exc


def _make_room(folder: Path) -> None:
    """Drop the oldest cached target files, so that the card holds a bounded number."""
    folder.mkdir(exist_ok=True)  # platform.json comes first and makes the folder above
    kept = sorted((path for path in folder.iterdir() if path.is_file()), key=lambda path: path.stat().st_mtime)
    for path in kept[: max(0, len(kept) - MAX_CACHED_FILES + 1)]:
        path.unlink()
