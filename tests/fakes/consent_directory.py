"""A platform's directory in memory, and the hostile uplink that stands before it.

`FakeRepository` signs on demand with python-tuf's own metadata classes and publishes into `served`, the paths
below the directory's URL. `fetch` is what a `TufDirectory` is handed: it records every path and hands out what
`served` has, unless `bent` says otherwise. The keys are made for each test and sign nothing else.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from securesystemslib.signer import CryptoSigner, Key
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from agent.core.encoding import b64
from agent.core.errors import RefusedError
from agent.core.ids import kid_of

if TYPE_CHECKING:
    from collections.abc import Callable

AGENCY = "us-ca-examplepd"
NBF_S, EXP_S = 1_600_000_000, 4_000_000_000
YEAR = timedelta(days=365)


def key_entry(public: bytes) -> dict[str, Any]:
    return {"kid": kid_of(public), "pub": b64(public), "nbf": NBF_S, "exp": EXP_S}


def platform_file(dispatch: Ed25519PrivateKey, *, version: int = 1) -> dict[str, Any]:
    receipt = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return {
        "v": 1,
        "name": "Example platform",
        "version": version,
        "issued": 1_790_000_000,
        "dispatch": [key_entry(dispatch.public_key().public_bytes_raw())],
        "receipt": [key_entry(receipt)],
        "endpoints": {"ep1": {"host": "up1.example", "port": 443, "base": "/up"}},
        "incidents": ["burglary"],
    }


def agency_file(agency: str = AGENCY) -> dict[str, Any]:
    sign = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    enc = X25519PrivateKey.generate().public_key().public_bytes_raw()
    return {
        "v": 1,
        "id": agency,
        "name": "Example Police Department",
        "country": "US",
        "region": "CA",
        "status": "active",
        "sign": [key_entry(sign)],
        "enc": [key_entry(enc)],
        "endpoints": ["ep1"],
        "limits": {"area_m2": 1_300_000, "window_s": 43_200, "lookback_s": 2_592_000, "ttl_s": 604_800},
        "contact": {"phone": "+1 555 0100", "web": "examplepd.example"},
        "centre": [377_749_000, -1_224_194_000],
    }


def region_file(*agencies: str) -> dict[str, Any]:
    listed = [{"id": name, "name": "Example", "centre": [377_749_000, -1_224_194_000]} for name in agencies]
    return {"v": 1, "agencies": listed}


def keys_of(signers: list[CryptoSigner]) -> dict[str, Key]:
    return {signer.public_key.keyid: signer.public_key for signer in signers}


class FakeRepository:
    """One TUF repository; targets and agencies need two signatures, the root two of its two keys.

    Args:
        consistent: whether file names carry versions and hashes.
        bits: None for one flat delegation, else 2^bits succinct hash bins.
    """

    def __init__(self, *, consistent: bool = True, bits: int | None = None) -> None:
        self.bits = bits
        self.signers = {
            role: [
                CryptoSigner.generate_ed25519() for _ in range(2 if role in {"root", "targets", "agencies"} else 1)
            ]
            for role in ("root", "targets", "snapshot", "timestamp", "agencies")
        }
        self.dispatch = Ed25519PrivateKey.generate()
        self.targets: dict[str, bytes] = {}
        self.put("platform.json", platform_file(self.dispatch))
        self.put(f"agencies/{AGENCY}.json", agency_file())
        self.put("regions/9q8.json", region_file(AGENCY))
        self.expires = datetime.now(UTC).replace(microsecond=0) + YEAR
        self.timestamp_expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        self.version = 0
        self.root = Root(expires=self.expires, consistent_snapshot=consistent)
        self.root.version = 0  # the first publication makes it 1
        for role in ("root", "targets", "snapshot", "timestamp"):
            for signer in self.signers[role]:
                self.root.add_key(signer.public_key, role)
            self.root.roles[role].threshold = len(self.signers[role])
        # How the agencies' files are delegated; a test may hand in another tree.
        self.delegations: Callable[[], Delegations] = lambda: self.delegations_to(self.signers["agencies"])
        self.parts: Callable[[dict[str, bytes]], dict[str, dict[str, bytes]]] = self._parts_by_role
        self.served: dict[str, bytes] = {}
        self.bent: dict[str, Callable[[bytes | None], bytes]] = {}
        self.asked: list[str] = []
        self.limits: dict[str, int] = {}
        self.publish_root(self.signers["root"])
        self.installed_root = self.served["metadata/1.root.json"]
        self.publish()

    # What the platform does.

    def put(self, path: str, value: object) -> None:
        self.targets[path] = value if isinstance(value, bytes) else json.dumps(value).encode()

    def publish(self) -> None:
        """Sign everything anew under the next version of each role."""
        self.version += 1
        agencies = {path: raw for path, raw in self.targets.items() if path.startswith("agencies/")}
        top = self.role({path: raw for path, raw in self.targets.items() if path not in agencies})
        top.delegations = self.delegations()
        roles = {"targets": (top, self.signers["targets"])}
        for name, part in self.parts(agencies).items():
            roles[name] = (self.role(part), self.signers["agencies"])
        for path, raw in self.targets.items():
            self._serve_target(path, raw)
        for name, (signed, signers) in roles.items():
            self.serve(name, signed, signers)
        self.publish_snapshot({f"{name}.json": MetaFile(self.version) for name in roles})

    def publish_snapshot(self, meta: dict[str, MetaFile]) -> None:
        self.snapshot = Snapshot(version=self.version, expires=self.expires, meta=meta)
        self.serve("snapshot", self.snapshot, self.signers["snapshot"])
        self.publish_timestamp(self.version)

    def publish_timestamp(self, version: int, snapshot: int | None = None) -> None:
        meta = MetaFile(self.snapshot.version if snapshot is None else snapshot)
        signed = Timestamp(version=version, expires=self.timestamp_expires, snapshot_meta=meta)
        self.serve("timestamp", signed, self.signers["timestamp"])

    def publish_root(self, signers: list[CryptoSigner]) -> None:
        self.root.version += 1
        self.served[f"metadata/{self.root.version}.root.json"] = self.sign(self.root, signers)

    def rotate(self, role: str, *, signed_by_old: bool = True) -> None:
        """Give a top-level role new keys by a new root, signed by old and new root keys."""
        old_root, old = self.signers["root"], self.signers[role]
        self.signers[role] = [CryptoSigner.generate_ed25519() for _ in old]
        for signer in old:
            self.root.revoke_key(signer.public_key.keyid, role)
        for signer in self.signers[role]:
            self.root.add_key(signer.public_key, role)
        by = [*old_root, *self.signers["root"]] if signed_by_old else self.signers["root"]
        self.publish_root(list({signer.public_key.keyid: signer for signer in by}.values()))

    # How it is written.

    def sign(self, signed: Signed, signers: list[CryptoSigner]) -> bytes:
        metadata: Metadata[Any] = Metadata(signed)
        for signer in signers:
            metadata.sign(signer, append=True)
        return metadata.to_bytes(JSONSerializer(compact=True))

    def serve(self, name: str, signed: Signed, signers: list[CryptoSigner]) -> None:
        consistent = self.root.consistent_snapshot and name != "timestamp"
        self.served[f"metadata/{signed.version}.{name}.json" if consistent else f"metadata/{name}.json"] = (
            self.sign(signed, signers)
        )

    def _serve_target(self, path: str, raw: bytes) -> None:
        folder, slash, base = path.rpartition("/")
        digest = TargetFile.from_data(path, raw).hashes["sha256"]
        name = f"{folder}{slash}{digest}.{base}" if self.root.consistent_snapshot else path
        self.served[f"targets/{name}"] = raw

    def role(self, files: dict[str, bytes]) -> Targets:
        described = {path: TargetFile.from_data(path, raw, ["sha256"]) for path, raw in files.items()}
        return Targets(version=self.version, expires=self.expires, targets=described)

    def delegations_to(self, signers: list[CryptoSigner]) -> Delegations:
        """Return who signs the agencies' files; every one of `signers` has to."""
        keys = keys_of(signers)
        if self.bits is None:
            role = DelegatedRole("agencies", list(keys), len(signers), True, paths=["agencies/*"])
            return Delegations(keys, roles={"agencies": role})
        return Delegations(keys, succinct_roles=SuccinctRoles(list(keys), len(signers), self.bits, "bin"))

    def _parts_by_role(self, agencies: dict[str, bytes]) -> dict[str, dict[str, bytes]]:
        if self.bits is None:
            return {"agencies": agencies}
        bins = SuccinctRoles([], 1, self.bits, "bin")
        parts: dict[str, dict[str, bytes]] = {name: {} for name in bins.get_roles()}
        for path, raw in agencies.items():
            parts[bins.get_role_for_target(path)][path] = raw
        return parts

    # What the uplink in between does.

    def fetch(self, path: str, max_bytes: int) -> bytes:
        self.asked.append(path)
        self.limits[path] = max_bytes
        if path in self.bent:
            return self.bent[path](self.served.get(path))
        if path not in self.served:
            raise RefusedError("not-found", path)
        return self.served[path]

    def bend(self, path: str, answer: bytes | Exception) -> None:
        """Answer `path` with other bytes or an error from now on."""

        def bent(_: bytes | None) -> bytes:
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.bent[path] = bent

    def metadata_path(self, name: str) -> str:
        """Return where the newest metadata of a role is served."""
        return f"metadata/{self.version}.{name}.json" if self.root.consistent_snapshot else f"metadata/{name}.json"

    def target_path(self, path: str) -> str:
        """Return where the newest target file is served."""
        folder, slash, base = path.rpartition("/")
        digest = TargetFile.from_data(path, self.targets[path]).hashes["sha256"]
        return f"targets/{folder}{slash}{digest}.{base}" if self.root.consistent_snapshot else f"targets/{path}"
