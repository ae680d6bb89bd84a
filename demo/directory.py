"""The platform's directory: a TUF repository in memory (`demo.directory_server` hands it out).

`Directory.files` maps paths below the directory's URL to bytes, as a web server would hold them
(`metadata/3.snapshot.json`, `targets/<hash>.platform.json`). Every change of a target goes through `publish`,
which raises `platform.json`'s version (protocol section 4).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from agent.core.geo import geohash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from demo.keys import OpenKey, SignKey

INCIDENTS = ("assault", "burglary", "hit-and-run", "missing-person", "vehicle-theft")
AGENCIES_ROLE = "agencies"
ROLES = ("root", "targets", "snapshot", "timestamp", AGENCIES_ROLE)
LONG_LIFE = timedelta(days=365)


class Directory:
    """A TUF repository of one `platform.json`, the agencies' files and the regions' lists.

    Args:
        now_s: Issue time, unix seconds; expiry times count from it.
        dispatch: The platform's dispatch keys.
        receipt: The platform's receipt keys.
        endpoints: `platform.json`'s `endpoints`.
        agencies: The agencies' directory files.
        incidents: `platform.json`'s `incidents`.
        consistent_snapshot: Whether file names carry versions and hashes.
        hash_bins_bits: None delegates `agencies/*` to one flat role, a number to 2^bits hash bins.
        timestamp_life_s: How long `timestamp.json` and `snapshot.json` are good.
    """

    def __init__(
        self,
        *,
        now_s: int,
        dispatch: Iterable[SignKey],
        receipt: Iterable[SignKey],
        endpoints: Mapping[str, Mapping[str, Any]],
        agencies: Iterable[Mapping[str, Any]] = (),
        incidents: Sequence[str] = INCIDENTS,
        consistent_snapshot: bool = True,
        hash_bins_bits: int | None = None,
        timestamp_life_s: int = 86_400,
    ) -> None:
        self.now_s = now_s
        self.timestamp_life_s = timestamp_life_s
        self.files: dict[str, bytes] = {}
        self.agencies: dict[str, dict[str, Any]] = {file["id"]: dict(file) for file in agencies}
        self.platform: dict[str, Any] = {
            "v": 1,
            "name": "Example platform",
            "version": 0,
            "issued": now_s,
            "dispatch": [key.entry() for key in dispatch],
            "receipt": [key.entry() for key in receipt],
            "endpoints": {name: dict(value) for name, value in endpoints.items()},
            "incidents": list(incidents),
        }
        self.signers = {role: CryptoSigner.generate_ed25519() for role in ROLES}
        self._bins = hash_bins_bits
        self._versions = dict.fromkeys(("root", "targets", "snapshot", "timestamp", "delegated"), 0)
        self._root = Root(expires=self._expires(LONG_LIFE), consistent_snapshot=consistent_snapshot)
        self._root.version = 0
        for role in ("root", "targets", "snapshot", "timestamp"):
            self._root.add_key(self.signers[role].public_key, role)
        self._publish_root([self.signers["root"]])
        self.root_json = self.files["metadata/1.root.json"]
        self.publish()

    # What the platform does.

    def publish(self) -> None:
        """Sign and publish every target anew, under the next `platform.json` version."""
        self.platform["version"] += 1
        self.platform["issued"] = self.now_s
        content = {"platform.json": _json(self.platform)}
        content |= {f"regions/{cell}.json": _json(region) for cell, region in self._regions().items()}
        agencies = {f"agencies/{name}.json": _json(file) for name, file in self.agencies.items()}
        delegated = self._delegated(agencies)
        top = self._targets_role("targets", content)
        top.delegations = self._delegations()
        signed = {"targets": self._sign(top, "targets")}
        signed |= {name: self._sign(role, AGENCIES_ROLE) for name, role in delegated.items()}
        for path, body in (content | agencies).items():
            self._store_target(path, body)
        for name, body in signed.items():
            self._store_metadata(name, self._versions["targets" if name == "targets" else "delegated"], body)
        self._publish_snapshot(signed)

    def refresh(self, now_s: int) -> None:
        """Sign `timestamp.json` and `snapshot.json` anew at `now_s`, as a platform does daily."""
        self.now_s = now_s
        self._publish_snapshot(self._signed_targets)

    def put_agency(self, file: Mapping[str, Any]) -> None:
        """Add or replace an agency's file and publish."""
        self.agencies[file["id"]] = dict(file)
        self.publish()

    def suspend(self, agency: str) -> None:
        """Set an agency's status to `suspended` and publish."""
        self.put_agency({**self.agencies[agency], "status": "suspended"})

    def revoke(self, kid: str) -> None:
        """Take the key out of every list that has it and publish."""
        lists = [self.platform["dispatch"], self.platform["receipt"]]
        lists += [file[use] for file in self.agencies.values() for use in ("sign", "enc")]
        for keys in lists:
            keys[:] = [key for key in keys if key["kid"] != kid]
        self.publish()

    def rotate_dispatch(self, new: SignKey, *, keep_old: bool = True) -> None:
        """List a new dispatch key, beside the old ones or instead of them, and publish."""
        old = self.platform["dispatch"] if keep_old else []
        self.platform["dispatch"] = [*old, new.entry()]
        self.publish()

    def rotate_agency_enc(self, agency: str, new: OpenKey) -> None:
        """Replace an agency's enc keys and publish."""
        self.put_agency({**self.agencies[agency], "enc": [new.entry()]})

    def rotate_root(self, *, signed_by_old: bool = True) -> None:
        """Publish a root with a new root key; `signed_by_old=False` is what an attacker could make."""
        old, new = self.signers["root"], CryptoSigner.generate_ed25519()
        self._root.revoke_key(old.public_key.keyid, "root")
        self._root.add_key(new.public_key, "root")
        self.signers["root"] = new
        self._publish_root([old, new] if signed_by_old else [new])

    # How it is made.

    def _publish_root(self, signers: Sequence[CryptoSigner]) -> None:
        self._root.version += 1
        metadata = Metadata(self._root)
        for signer in signers:
            metadata.sign(signer, append=True)
        body = metadata.to_bytes(JSONSerializer(compact=True))
        self.files[f"metadata/{self._root.version}.root.json"] = body
        self.files["metadata/root.json"] = body

    def _publish_snapshot(self, signed_targets: dict[str, bytes]) -> None:
        self._signed_targets = signed_targets
        life = timedelta(seconds=self.timestamp_life_s)
        meta = {
            f"{name}.json": MetaFile(self._versions["targets" if name == "targets" else "delegated"])
            for name in signed_targets
        }
        snapshot = Snapshot(version=self._next("snapshot"), expires=self._expires(life), meta=meta)
        body = self._sign(snapshot, "snapshot")
        self._store_metadata("snapshot", snapshot.version, body)
        timestamp = Timestamp(
            version=self._next("timestamp"),
            expires=self._expires(life),
            snapshot_meta=MetaFile.from_data(snapshot.version, body, ["sha256"]),
        )
        self.files["metadata/timestamp.json"] = self._sign(timestamp, "timestamp")

    def _delegated(self, agencies: dict[str, bytes]) -> dict[str, Targets]:
        """The signed part of each role below `targets`: one flat role, or one for each bin."""
        version = self._next("delegated")
        if self._bins is None:
            shares = {AGENCIES_ROLE: agencies}
        else:
            succinct = self._succinct(self._bins)
            shares = {name: {} for name in succinct.get_roles()}
            for path, body in agencies.items():
                shares[succinct.get_role_for_target(path)][path] = body
        return {name: self._targets_of(share, version) for name, share in shares.items()}

    def _delegations(self) -> Delegations:
        key = self.signers[AGENCIES_ROLE].public_key
        if self._bins is not None:
            return Delegations({key.keyid: key}, succinct_roles=self._succinct(self._bins))
        role = DelegatedRole(AGENCIES_ROLE, [key.keyid], 1, terminating=True, paths=["agencies/*"])
        return Delegations({key.keyid: key}, roles={AGENCIES_ROLE: role})

    def _succinct(self, bits: int) -> SuccinctRoles:
        return SuccinctRoles([self.signers[AGENCIES_ROLE].public_key.keyid], 1, bits, AGENCIES_ROLE)

    def _targets_role(self, name: str, content: dict[str, bytes]) -> Targets:
        return self._targets_of(content, self._next(name))

    def _targets_of(self, content: dict[str, bytes], version: int) -> Targets:
        files = {path: TargetFile.from_data(path, body, ["sha256"]) for path, body in content.items()}
        return Targets(version=version, expires=self._expires(LONG_LIFE), targets=files)

    def _sign(self, signed: Targets | Snapshot | Timestamp, role: str) -> bytes:
        metadata: Metadata[Any] = Metadata(signed)
        metadata.sign(self.signers[role])
        return metadata.to_bytes(JSONSerializer(compact=True))

    def _store_metadata(self, name: str, version: int, body: bytes) -> None:
        prefix = f"{version}." if self._root.consistent_snapshot else ""
        self.files[f"metadata/{prefix}{name}.json"] = body

    def _store_target(self, path: str, body: bytes) -> None:
        folder, _, name = path.rpartition("/")
        if self._root.consistent_snapshot:
            digest = TargetFile.from_data(path, body, ["sha256"]).hashes["sha256"]
            name = f"{digest}.{name}"
        self.files["/".join(part for part in ("targets", folder, name) if part)] = body

    def _regions(self) -> dict[str, dict[str, Any]]:
        regions: dict[str, dict[str, Any]] = {}
        for file in self.agencies.values():
            lat, lon = file["centre"]
            region = regions.setdefault(geohash((lat, lon), 3), {"v": 1, "agencies": []})
            region["agencies"].append({"id": file["id"], "name": file["name"], "centre": file["centre"]})
        return regions

    def _next(self, role: str) -> int:
        self._versions[role] += 1
        return self._versions[role]

    def _expires(self, life: timedelta) -> datetime:
        return (datetime.fromtimestamp(self.now_s, UTC) + life).replace(microsecond=0)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
