"""The vault's local certificate authority, good for one test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class LocalCa:
    """A CA whose key is made for the test and thrown away with it."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "doorbell test CA, not for use")])
        usage = x509.BasicConstraints(ca=True, path_length=0)
        self.pem = self._signed(self._name, self._key.public_key(), usage)

    def _signed(self, subject: x509.Name, public: Any, *extensions: x509.ExtensionType, days: int = 90) -> str:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, csr: x509.CertificateSigningRequest, *, days: int = 90) -> str:
        """A leaf for what the request asks for."""
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return self._signed(csr.subject, csr.public_key(), names, days=days)
