"""The vault's keys on the card, and the button's open key that never touches it (protocol section 3)."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.atomic_file import sync_folder
from agent.consent.console import ButtonKeys
from agent.core.errors import TroubleError
from agent.core.ids import Kid, kid_of
from agent.core.keys import raw_public

DEVICE: Final = "device.pem"
BUTTON: Final = "button.pem"
CA: Final = "ca.pem"


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """All of them; none prints itself."""

    device: Ed25519PrivateKey = field(repr=False)
    button: ButtonKeys = field(repr=False)
    ca: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def device_pub(self) -> bytes:
        """The device's raw public key."""
        return raw_public(self.device)

    @property
    def device_kid(self) -> Kid:
        """The device's name."""
        return kid_of(self.device_pub)

    @property
    def button_pub(self) -> bytes:
        """The button's raw public sign key."""
        return raw_public(self.button.sign_key)


def _write(path: Path, key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


def make_keys(folder: Path) -> None:
    """Make the keys of a new installation.

    Raises:
        TroubleError: they are there already, or the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(folder / DEVICE, Ed25519PrivateKey.generate())
        _write(folder / BUTTON, Ed25519PrivateKey.generate())
        _write(folder / CA, ec.generate_private_key(ec.SECP256R1()))
        sync_folder(folder)
    except FileExistsError as exc:
        raise TroubleError("initialised", f"{folder} holds keys already; `doorbell reset` starts anew") from exc
    except OSError as exc:
        raise TroubleError("storage-failed", f"{folder}: {exc.strerror}") from exc


def _read(path: Path) -> object:
    try:
        return serialization.load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError as exc:
        raise TroubleError("not-initialised", "this doorbell is not set up yet: run `doorbell init`") from exc
    except (OSError, ValueError, TypeError) as exc:
        raise TroubleError("keys", f"{path} can't be read: {exc}; `doorbell reset` starts anew") from exc


def load_keys(folder: Path) -> VaultKeys:
    """Load the keys, and make the button's open key of this start.

    Raises:
        TroubleError: not-initialised, keys.
    """
    device, button, ca = (_read(folder / name) for name in (DEVICE, BUTTON, CA))
    if (
        not isinstance(device, Ed25519PrivateKey)
        or not isinstance(button, Ed25519PrivateKey)
        or not isinstance(ca, ec.EllipticCurvePrivateKey)
    ):
        raise TroubleError("keys", f"{folder}: a key is of another kind; `doorbell reset` starts anew")
    return VaultKeys(device, ButtonKeys(button, X25519PrivateKey.generate()), ca)
