"""The directory's chain from a root that the verifier trusts, offline: protocol sections 4 and 15.

The client workflow of the TUF specification (section 5) over files at hand instead of a server: root after
root, then timestamp, snapshot, targets and what they delegate. Written on python-tuf's public metadata API; its
client keeps the same workflow behind private names and wants a network (docs/adr/0007). Paths and role names
are only ever keys of a dictionary.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, TargetFile, Targets, Timestamp

from agent.core.directory_paths import (
    MAX_ROOT_BYTES,
    MAX_SNAPSHOT_BYTES,
    MAX_TARGET_BYTES,
    MAX_TARGETS_BYTES,
    MAX_TIMESTAMP_BYTES,
)
from agent.core.errors import RefusedError
from agent.core.strict_json import parse

MAX_ROOTS: Final = 256
MAX_ROLES: Final = 32

S = TypeVar("S", Root, Timestamp, Snapshot, Targets)


def _refuse(why: str) -> RefusedError:
    return RefusedError("E_DIRECTORY", why if why.isprintable() else ascii(why))  # a role may have any name


def _load(raw: bytes, kind: type[S], max_bytes: int, what: str) -> Metadata[S]:
    parse(raw, max_bytes=max_bytes)  # bounds size, depth and numbers before the library's own parser reads it
    try:
        metadata = Metadata[S].from_bytes(raw)
    except RepositoryError as exc:
        raise _refuse(f"{what} is no TUF metadata") from exc
    if not isinstance(metadata.signed, kind):
        raise _refuse(f"{what} is of another role")
    return metadata


def _check_signed(delegator: Root | Targets, role: str, metadata: Metadata[S], what: str) -> None:
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as exc:
        raise _refuse(f"{what} is not signed by enough of its keys") from exc


class DirectoryChain:
    """The files of a bundle's directory, verified step by step as they are asked for.

    Args:
        root: the root metadata that the verifier trusts.
        files: path below the directory's URL → content, as a submission carries them.
        at: the moment at which every expiry is judged.

    Raises:
        RefusedError: E_DIRECTORY, E_SIZE or E_JSON, and which file it was.
    """

    def __init__(self, root: bytes, files: Mapping[str, bytes], at: datetime) -> None:
        self._files = files
        self._at = at
        self._root = self._last_root(root)
        timestamp = self._timestamp()
        self._snapshot = self._snapshot_under(timestamp)
        self._targets = self._role("targets", self._root)

    @property
    def root_version(self) -> int:
        """The version of the root that the rest was verified under."""
        return self._root.version

    def target(self, path: str) -> bytes:
        """Return the bytes of a target file that the chain vouches for.

        Raises:
            RefusedError: E_DIRECTORY, when no role vouches for it or the file is not those bytes.
        """
        listed = self._find_target(path)
        raw = self._file(f"targets/{path}")
        if len(raw) > MAX_TARGET_BYTES:
            raise _refuse(f"targets/{path} is too large")
        try:
            listed.verify_length_and_hashes(raw)
        except RepositoryError as exc:
            raise _refuse(f"targets/{path} is not the file that the directory lists") from exc
        return raw

    def _file(self, path: str) -> bytes:
        try:
            return self._files[path]
        except KeyError as exc:
            raise _refuse(f"{path} is missing") from exc

    def _fresh(self, signed: Signed, what: str) -> None:
        if signed.is_expired(self._at):
            raise _refuse(f"{what} had run out")

    def _last_root(self, raw: bytes) -> Root:
        """Walk from the trusted root to the newest one: each is signed by the one before and by itself."""
        trusted = _load(raw, Root, MAX_ROOT_BYTES, "the root")
        _check_signed(trusted.signed, "root", trusted, "the root")
        root = trusted.signed
        for _ in range(MAX_ROOTS):
            version = root.version + 1
            path = f"metadata/{version}.root.json"
            if path not in self._files:
                break
            newer = _load(self._files[path], Root, MAX_ROOT_BYTES, path)
            _check_signed(root, "root", newer, path)
            _check_signed(newer.signed, "root", newer, path)
            if newer.signed.version != version:
                raise _refuse(f"{path} is of another version")
            root = newer.signed
        self._fresh(root, "the root")
        return root

    def _timestamp(self) -> Timestamp:
        path = "metadata/timestamp.json"
        metadata = _load(self._file(path), Timestamp, MAX_TIMESTAMP_BYTES, path)
        _check_signed(self._root, "timestamp", metadata, path)
        self._fresh(metadata.signed, path)
        return metadata.signed

    def _snapshot_under(self, timestamp: Timestamp) -> Snapshot:
        path = "metadata/snapshot.json"
        raw = self._file(path)
        metadata = _load(raw, Snapshot, MAX_SNAPSHOT_BYTES, path)
        self._matches(timestamp.snapshot_meta, raw, metadata, path)
        _check_signed(self._root, "snapshot", metadata, path)
        self._fresh(metadata.signed, path)
        return metadata.signed

    @staticmethod
    def _matches(listed: MetaFile, raw: bytes, metadata: Metadata[S], path: str) -> None:
        try:
            listed.verify_length_and_hashes(raw)
        except RepositoryError as exc:
            raise _refuse(f"{path} is not the file that is listed") from exc
        if metadata.signed.version != listed.version:
            raise _refuse(f"{path} is of another version than listed")

    def _role(self, role: str, delegator: Root | Targets) -> Targets:
        path = f"metadata/{role}.json"
        listed = self._snapshot.meta.get(f"{role}.json")
        if listed is None:
            raise _refuse(f"{path} is not in the snapshot")
        raw = self._file(path)
        metadata = _load(raw, Targets, MAX_TARGETS_BYTES, path)
        self._matches(listed, raw, metadata, path)
        _check_signed(delegator, role, metadata, path)
        self._fresh(metadata.signed, path)
        return metadata.signed

    def _find_target(self, path: str) -> TargetFile:
        """Search targets and its delegations in the specification's order: pre-order, depth first."""
        waiting: list[tuple[str, Root | Targets]] = [("targets", self._root)]
        seen: set[str] = set()
        while waiting and len(seen) < MAX_ROLES:
            role, delegator = waiting.pop()
            if role in seen:
                continue
            seen.add(role)
            targets = self._targets if role == "targets" else self._role(role, delegator)
            if path in targets.targets:
                return targets.targets[path]
            children: list[tuple[str, Root | Targets]] = []
            if targets.delegations is not None:
                for child, terminating in targets.delegations.get_roles_for_target(path):
                    children.append((child, targets))
                    if terminating:
                        waiting.clear()
                        break
            waiting.extend(reversed(children))
        raise _refuse(f"no role lists {path}")
