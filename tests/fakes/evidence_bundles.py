"""Bundles on disk: the cases of the submission vectors, written as a folder that `open` and `verify` read."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

VECTORS = Path(__file__).parent.parent / "vectors" / "submissions.json"


@dataclass(frozen=True)
class BundleCase:
    """One case: a folder, the root to judge it by, the agency's key, and whether it must hold."""

    name: str
    holds: bool
    parts: dict[str, Any]

    @property
    def root(self) -> bytes:
        return str(self.parts["root"]).encode()

    @property
    def key(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(base64.b64decode(self.parts["enc_private"]))

    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def write(self, folder: Path) -> Path:
        """Write the bundle's files into `folder`."""
        (folder / "segments").mkdir(parents=True)
        (folder / "submission.json").write_text(json.dumps(self.parts["submission"]))
        (folder / "receipt.json").write_text(json.dumps(self.parts["receipt"]))
        for name, content in self.parts["segments"].items():
            (folder / "segments" / f"{name}.seg").write_bytes(base64.b64decode(content))
        return folder


def bundle_cases() -> list[BundleCase]:
    """All cases of the vectors."""
    file = json.loads(VECTORS.read_text())
    return [BundleCase(case["name"], case["holds"], file["defaults"] | case["change"]) for case in file["cases"]]


def bundle_case(name: str) -> BundleCase:
    """One case by its name."""
    return next(case for case in bundle_cases() if case.name == name)


def joined_sha256() -> str:
    """The hash of the good bundle's joined clip."""
    return str(json.loads(VECTORS.read_text())["joined_sha256"])
