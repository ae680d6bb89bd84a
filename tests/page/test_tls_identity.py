"""The page's key outlives its certificates, and a certificate is renewed in time."""

from __future__ import annotations

import contextlib
import os
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.core.errors import TroubleError
from agent.page.tls_identity import TlsIdentity
from tests.fakes.page_ca import LocalCa
from tests.fakes.page_world import now_ms

NAMES = ["bell.local", "192.0.2.7"]
DAY_MS = 86_400_000


def issue(ca: LocalCa, identity: TlsIdentity, names: list[str], *, days: int = 90) -> str:
    return ca.issue(x509.load_der_x509_csr(identity.signing_request(names)), days=days)


def test_the_key_is_p256_made_once_and_readable_by_nobody_else(tmp_path: Path) -> None:
    first, second = TlsIdentity(tmp_path), TlsIdentity(tmp_path)
    assert first.spki_sha256 == second.spki_sha256
    key = serialization.load_pem_private_key((tmp_path / "tls.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert stat.S_IMODE((tmp_path / "tls.key").stat().st_mode) == 0o600


def test_the_key_survives_a_power_cut_once_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hash is on the owner's card from then on."""
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink().name))
    TlsIdentity(tmp_path / "page")
    assert synced == ["tls.key.new", "page"]


def test_a_request_is_signed_and_names_hosts_and_addresses(tmp_path: Path) -> None:
    csr = x509.load_der_x509_csr(TlsIdentity(tmp_path).signing_request(NAMES))
    assert csr.is_signature_valid
    names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["bell.local"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]


def test_a_certificate_is_needed_when_there_is_none_or_it_ends_soon_or_lacks_a_name(tmp_path: Path) -> None:
    identity, ca = TlsIdentity(tmp_path), LocalCa()
    assert identity.needs_certificate(now_ms=now_ms(), names=NAMES)
    identity.install(issue(ca, identity, NAMES))
    assert not identity.needs_certificate(now_ms=now_ms(), names=NAMES)
    assert not identity.needs_certificate(now_ms=now_ms() + 59 * DAY_MS, names=NAMES)
    assert identity.needs_certificate(now_ms=now_ms() + 61 * DAY_MS, names=NAMES)
    assert identity.needs_certificate(now_ms=now_ms() - 2 * DAY_MS, names=NAMES)
    assert identity.needs_certificate(now_ms=now_ms(), names=[*NAMES, "door.local"])


def test_a_certificate_of_another_key_is_not_taken(tmp_path: Path) -> None:
    identity, other = TlsIdentity(tmp_path / "a"), TlsIdentity(tmp_path / "b")
    with pytest.raises(TroubleError, match="another key"):
        identity.install(issue(LocalCa(), other, NAMES))
    with pytest.raises(TroubleError, match="no certificate"):
        identity.install("nothing")
    assert not identity.has_certificate()


def test_a_chain_of_an_older_key_is_asked_for_again(tmp_path: Path) -> None:
    identity = TlsIdentity(tmp_path)
    identity.install(issue(LocalCa(), identity, NAMES))
    (tmp_path / "tls.key").unlink()
    fresh = TlsIdentity(tmp_path)
    assert fresh.needs_certificate(now_ms=now_ms(), names=NAMES)
    assert not fresh.has_certificate()


def test_a_renewed_certificate_serves_the_next_handshake(tmp_path: Path) -> None:
    identity, ca = TlsIdentity(tmp_path), LocalCa()
    identity.install(issue(ca, identity, NAMES))
    context = identity.context()
    assert serial_served(context, ca) == serial_in(tmp_path)
    identity.install(issue(ca, identity, NAMES))
    assert serial_served(context, ca) == serial_in(tmp_path)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


LOCKED = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.BestAvailableEncryption(b"a password of this test"),
)
OF_ANOTHER_CURVE = ec.generate_private_key(ec.SECP384R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        LOCKED,
        OF_ANOTHER_CURVE,
    ],
    ids=["empty", "junk", "cut", "locked", "of another curve"],
)
def test_an_unreadable_key_is_a_plain_trouble(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tls.key").write_bytes(content)
    with pytest.raises(TroubleError) as trouble:
        TlsIdentity(tmp_path)
    path = tmp_path / "tls.key"
    assert str(trouble.value) == (
        f"can't use the page's key {path}: it is damaged or of another kind. "
        "Restore it from a backup, or start anew with `doorbell reset`"
    )


def test_a_folder_that_can_not_be_used_is_a_plain_trouble(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("no folder")
    with pytest.raises(TroubleError, match=r"^can't use .*/page \(file exists\): check its owner$"):
        TlsIdentity(tmp_path / "page")


def serial_in(folder: Path) -> int:
    return x509.load_pem_x509_certificate((folder / "tls.pem").read_bytes()).serial_number


def serial_served(context: ssl.SSLContext, ca: LocalCa) -> int:
    """Shake hands in memory; returns the served leaf's serial number."""
    client_context = ssl.create_default_context(cadata=ca.pem)
    c_in, c_out, s_in, s_out = (ssl.MemoryBIO() for _ in range(4))
    client = client_context.wrap_bio(c_in, c_out, server_hostname="bell.local")
    server = context.wrap_bio(s_in, s_out, server_side=True)
    for _ in range(4):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
            s_in.write(c_out.read())
            c_in.write(s_out.read())
    der = client.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number
