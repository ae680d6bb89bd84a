"""The page's TLS key and its certificates, in `state_dir/page`.

The key is made once and outlives its certificates: phones pin the hash of its public half (protocol section 10,
`spki`), so a new certificate changes nothing for them and a new key means pairing again. Certificates come from
the vault's local CA by a signing request.
"""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.atomic_file import replace_file
from agent.core.alternative_name import alternative_name
from agent.core.errors import TroubleError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PRIVATE_MODE: Final = 0o600
# Renewed when this part of its life is left, and long before a phone complains.
RENEW_AT_FRACTION: Final = 1 / 3


def _write_private(path: Path, data: bytes) -> None:
    """Write `path` whole or not at all, readable by nobody else."""
    try:
        replace_file(path, data, mode=PRIVATE_MODE)
    except OSError as exc:
        raise TroubleError("page-state", f"can't write {path}: free space or check its owner") from exc


class TlsIdentity:
    """The key, the current chain and the live `SSLContext`."""

    def __init__(self, folder: Path) -> None:
        """Load the key from `folder`, or make it.

        Raises:
            TroubleError: the key can't be read or written.
        """
        self._key_path = folder / "tls.key"
        self._chain_path = folder / "tls.pem"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._key = self._load_key() if self._key_path.exists() else self._make_key()
        except OSError as exc:
            reason = (exc.strerror or "unknown").lower()
            raise TroubleError("page-state", f"can't use {folder} ({reason}): check its owner") from exc
        self._context: ssl.SSLContext | None = None

    def _load_key(self) -> ec.EllipticCurvePrivateKey:
        try:
            key = serialization.load_pem_private_key(self._key_path.read_bytes(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
            raise self._bad_key() from exc
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise self._bad_key()
        return key

    def _bad_key(self) -> TroubleError:
        what = f"can't use the page's key {self._key_path}: it is damaged or of another kind"
        return TroubleError("page-state", f"{what}. Restore it from a backup, or start anew with `doorbell reset`")

    def _make_key(self) -> ec.EllipticCurvePrivateKey:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_private(self._key_path, pem)
        return key

    @property
    def spki_sha256(self) -> bytes:
        """What phones pin: 32 bytes, SHA-256 of the SubjectPublicKeyInfo."""
        return hashlib.sha256(_spki(self._key.public_key())).digest()

    def signing_request(self, names: Sequence[str]) -> bytes:
        """A CSR (DER) for `names`, host names or addresses."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "doorbell")])
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        if names:
            alternative = x509.SubjectAlternativeName([alternative_name(name) for name in names])
            builder = builder.add_extension(alternative, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def needs_certificate(self, *, now_ms: int, names: Sequence[str]) -> bool:
        """Say whether there is no chain, it is another key's, lacks a name or ends soon."""
        leaf = self._leaf()
        if leaf is None or _spki(leaf.public_key()) != _spki(self._key.public_key()):
            return True
        if not {alternative_name(name) for name in names} <= _names_of(leaf):
            return True
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
        return now < leaf.not_valid_before_utc or now > leaf.not_valid_after_utc - life * RENEW_AT_FRACTION

    def has_certificate(self) -> bool:
        """Say whether any usable chain for this key is at hand, however old."""
        leaf = self._leaf()
        return leaf is not None and _spki(leaf.public_key()) == _spki(self._key.public_key())

    def install(self, chain_pem: str) -> None:
        """Keep a new chain and use it for the next handshakes.

        Raises:
            TroubleError: it is not a chain for this key.
        """
        try:
            leaf = x509.load_pem_x509_certificates(chain_pem.encode())[0]
        except (ValueError, IndexError) as exc:
            raise TroubleError("page-certificate", "the vault's answer holds no certificate") from exc
        if _spki(leaf.public_key()) != _spki(self._key.public_key()):
            raise TroubleError("page-certificate", "the vault's certificate is for another key")
        _write_private(self._chain_path, chain_pem.encode())
        if self._context is not None:
            self._context.load_cert_chain(self._chain_path, self._key_path)

    def context(self) -> ssl.SSLContext:
        """The server's context; TLS 1.2 or later, HTTP/1.1 only."""
        if self._context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_alpn_protocols(["http/1.1"])
            context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
            context.load_cert_chain(self._chain_path, self._key_path)
            self._context = context
        return self._context

    def _leaf(self) -> x509.Certificate | None:
        try:
            return x509.load_pem_x509_certificates(self._chain_path.read_bytes())[0]
        except (OSError, ValueError, IndexError):
            return None


def _spki(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _names_of(certificate: x509.Certificate) -> set[x509.GeneralName]:
    try:
        return set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return set()
