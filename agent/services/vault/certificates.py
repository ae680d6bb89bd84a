"""The local CA: it signs the page's TLS key for the names that the page is called by, and nothing else."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.core.alternative_name import alternative_name
from agent.core.errors import RefusedError
from agent.core.ids import Kid, sha256_hex

LIFE: Final = dt.timedelta(days=397)
CA_LIFE: Final = dt.timedelta(days=7_300)
BACK: Final = dt.timedelta(days=2)  # a phone's clock may be behind


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _utc(utc_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(utc_ms // 1_000, dt.UTC)


def make_ca(key: ec.EllipticCurvePrivateKey, device: Kid, utc_ms: int) -> x509.Certificate:
    """Return the CA's own certificate; anyone with the key can make it again."""
    name = _name(f"Doorbell {device}")
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int(device, 16))
        .not_valid_before(_utc(utc_ms) - BACK)
        .not_valid_after(_utc(utc_ms) + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def certify_page(
    csr_der: bytes, key: ec.EllipticCurvePrivateKey, device: Kid, names: Sequence[str], utc_ms: int
) -> tuple[str, bytes]:
    """Sign the page's key.

    Args:
        csr_der: the page's certificate request; only its key and its proof of possession are used.
        key: the CA's key.
        device: names the CA.
        names: host names and addresses, from the configuration.
        utc_ms: now, as well as it is known.

    Returns:
        The chain as PEM, leaf first, and the SHA-256 of the page key's SubjectPublicKeyInfo.

    Raises:
        RefusedError: csr.
    """
    try:
        csr = x509.load_der_x509_csr(csr_der)
        public = csr.public_key()
        if not csr.is_signature_valid or not isinstance(public, ec.EllipticCurvePublicKey):
            raise RefusedError("csr", "the page's certificate request does not hold")
    except (ValueError, InvalidSignature, UnsupportedAlgorithm) as exc:
        raise RefusedError("csr", "no certificate request") from exc
    ca = make_ca(key, device, utc_ms)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(_name(names[0] if names else "doorbell"))
        .issuer_name(ca.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_utc(utc_ms) - BACK)
        .not_valid_after(_utc(utc_ms) + LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([alternative_name(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (leaf, ca)).decode("ascii")
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem, bytes.fromhex(sha256_hex(spki))
