"""A certificate that can't be read is a plain fault that names the key."""

from pathlib import Path

import pytest

from agent.core.errors import TroubleError
from agent.uplink.tls import client_context
from demo.certs import Authority


def test_an_authority_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("no certificate")
    for path in (wrong, tmp_path / "gone.pem"):
        with pytest.raises(TroubleError) as caught:
            client_context(path)
        assert caught.value.code == "certificate"
        assert str(caught.value) == f"[platform] ca = {path}: no readable PEM certificate there"


def test_a_client_certificate_without_its_key_is_named(authority: Authority, tmp_path: Path) -> None:
    own, other = authority.issue("own"), authority.issue("other")
    for cert, key in ((own.cert, other.key), (tmp_path / "gone.pem", own.key), (own.cert, tmp_path / "gone")):
        with pytest.raises(TroubleError, match="client_certificate"):
            client_context(authority.pem, cert, key)
