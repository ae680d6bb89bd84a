"""`doorbell init` and `doorbell reset`: a new installation's folders, keys and owner's card."""

import contextlib
import hashlib
import os
import pwd
import shutil
import socket
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.config import Config
from agent.consent import sqlite_ledger as ledger
from agent.consent import sqlite_log
from agent.consent.pairing import SECRET_BYTES, Link, build_link
from agent.core.encoding import b64
from agent.core.errors import ConfigError, TroubleError
from agent.core.ids import new_bytes
from agent.core.keys import raw_public
from agent.core.recovery import encode_recovery
from agent.page.tls_identity import TlsIdentity
from agent.services.system_clock import SystemClock
from agent.services.vault.database import Database
from agent.services.vault.keys import VaultKeys, load_keys, make_keys

MAX_BUNDLE_BYTES: Final = 65_536
_BUNDLE_KEYS: Final = frozenset({"name", "broker", "directory", "ca", "root"})
_OWN: Final = {"vault": "doorbell-vault", "page": "doorbell-page", "segments": "doorbell-recorder"}


@dataclass(frozen=True, slots=True)
class Card:
    """What the owner's card says: the pairing link, and the recovery key unless there is none."""

    link: str
    recovery: str | None


def _folders(config: Config) -> None:
    state = config.device.state_dir
    try:
        for folder, mode in (
            (state, 0o755),
            (state / "segments", 0o770),
            (state / "quarantine", 0o750),
            (state / "vault", 0o700),
            (state / "page", 0o700),
            (config.device.run_dir, 0o755),
        ):
            if folder.is_dir():
                continue  # made by the units' tmpfiles.d, which gave it to its user and group
            folder.mkdir(parents=True)
            folder.chmod(mode)
    except OSError as exc:
        raise TroubleError("storage-failed", f"can't make {exc.filename}: {exc.strerror}") from exc


def _first_entries(config: Config, keys: VaultKeys, recovery: X25519PrivateKey | None, secret: bytes) -> None:
    """Write the first log entries and what the vault must know from the start."""
    db = Database(config.device.state_dir / "vault" / "vault.db")
    at_s = SystemClock(config.device.clock).utc_ms() // 1_000
    try:
        with db.transaction() as tx:
            for name, public in (("device", keys.device_pub), ("button", keys.button_pub)):
                number = sqlite_log.append(tx, at_s, "key", {"name": name, "pub": b64(public)})
                ledger.set_fact(tx, f"log_n:key:{name}", number)
            ledger.set_fact(tx, "card_secret", secret)
            if recovery is not None:
                ledger.set_fact(tx, "recovery_pub", raw_public(recovery))
            sqlite_log.make_checkpoint(tx, keys.device)
    finally:
        db.close()


def initialise(config: Config, *, with_recovery: bool) -> Card:
    """Set a doorbell up: folders, keys, the first log entries; returns what is printed once.

    Raises:
        TroubleError: initialised, storage-failed.
    """
    _folders(config)
    state = config.device.state_dir
    _clear_what_was_cut(state / "vault")
    make_keys(state / "vault" / "keys")
    keys = load_keys(state / "vault" / "keys")
    recovery = X25519PrivateKey.generate() if with_recovery else None
    secret = new_bytes(SECRET_BYTES)
    _first_entries(config, keys, recovery, secret)
    spki = TlsIdentity(state / "page").spki_sha256
    _hand_to_units(state)
    link = build_link(Link(config.page.link_host, config.page.port, secret, spki))
    return Card(link, None if recovery is None else encode_recovery(recovery.private_bytes_raw()))


def _clear_what_was_cut(vault: Path) -> None:
    """Delete what an earlier `init` began and a power cut ended: keys whose card was never printed."""
    if not (vault / "keys").exists() or ((vault / "vault.db").exists() and _has_card(vault / "vault.db")):
        return
    try:
        for path in (vault / "keys", *vault.glob("vault.db*")):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as exc:
        raise TroubleError("storage-failed", f"can't delete {exc.filename}: {exc.strerror}") from exc


def _has_card(path: Path) -> bool:
    database = Database(path)
    try:
        return ledger.fact(database.tx, "card_secret") is not None
    finally:
        database.close()


def _hand_to_units(state: Path) -> None:
    """Give each part's folder to its unit's user, where those users exist and we may."""
    for part, user in _OWN.items():
        with contextlib.suppress(KeyError, PermissionError):
            entry = pwd.getpwnam(user)
            for path in (state / part, *(state / part).rglob("*")):
                os.chown(path, entry.pw_uid, entry.pw_gid if part != "segments" else -1)


def _is_answered(path: Path) -> bool:
    """Say whether a vault listens there; a socket that a power cut left behind is nobody."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
    return True


def reset(config: Config) -> list[Path]:
    """Delete everything that this doorbell keeps: keys, phones, log and every clip; returns where something was.

    The folders themselves stay: they belong to their units' users, and only tmpfiles.d could give them back.

    Raises:
        TroubleError: storage-failed; running, while the vault runs.
    """
    if _is_answered(config.device.run_dir / "console.sock"):
        raise TroubleError("running", "the doorbell is running: stop it first, then reset")
    state = config.device.state_dir
    gone = [state / name for name in ("vault", "page", "segments", "quarantine", "recipients.json")]
    return [path for path in gone if _emptied(path)]


def _emptied(path: Path) -> bool:
    """Delete a file or all that a folder holds; False where there was nothing."""
    try:
        if not path.is_dir():
            path.unlink()
            return True
        inside = list(path.iterdir())
        for one in inside:
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one)
            else:
                one.unlink()
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise TroubleError("storage-failed", f"can't delete {path}: {exc.strerror}") from exc
    return bool(inside)


@dataclass(frozen=True, slots=True)
class PlatformBundle:
    """What a platform gives to installers: protocol section 17."""

    name: str
    broker: str
    directory: str
    ca: str
    root: str
    username: str | None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the root's bytes, in groups, to compare with what the platform says."""
        digest = hashlib.sha256(self.root.encode("utf-8")).hexdigest()
        return " ".join(digest[start : start + 8] for start in range(0, 64, 8))


def read_bundle(path: Path) -> PlatformBundle:
    """Read a platform bundle.

    Raises:
        ConfigError: it is none.
    """
    try:
        raw = path.read_bytes()
        table = tomllib.loads(raw.decode("utf-8")) if len(raw) <= MAX_BUNDLE_BYTES else {}
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    except (ValueError, RecursionError) as exc:  # no UTF-8, no TOML, or more than Python reads
        raise ConfigError(f"{path}: no platform bundle: {exc}") from exc
    if not _BUNDLE_KEYS <= table.keys() <= _BUNDLE_KEYS | {"username"}:
        raise ConfigError(f"{path}: no platform bundle; it has {', '.join(sorted(_BUNDLE_KEYS))}")
    if not all(isinstance(value, str) for value in table.values()):
        raise ConfigError(f"{path}: no platform bundle: each of its values is text")
    return PlatformBundle(**{"username": None, **table})


def install_bundle(bundle: PlatformBundle, config: Path) -> None:
    """Write the bundle's files beside the configuration and its `[platform]` section into it.

    A section that says just what the bundle says is left as it is; so an `init` that broke off can be run again.

    Raises:
        ConfigError: the configuration is no TOML.
        TroubleError: platform, when it names another platform: nothing is written then; storage-failed.
    """
    files = {config.parent / "platform-ca.pem": bundle.ca, config.parent / "platform-root.json": bundle.root}
    section = {
        "broker": bundle.broker,
        "directory": bundle.directory,
        "ca": "platform-ca.pem",
        "root": "platform-root.json",
    }
    if bundle.username is not None:
        section["username"] = bundle.username
    try:
        present = _platform_of(config)
        if present is None:
            for path, text in files.items():
                path.write_text(text, encoding="utf-8")
            lines = [f"{key} = {_quoted(value)}" for key, value in section.items()]
            with config.open("a", encoding="utf-8") as file:  # the last step: what stands here has its files
                file.write("\n".join(["", "[platform]", *lines, ""]))
            return
        is_same = section.items() <= present.items() and all(
            path.is_file() and path.read_bytes() == text.encode("utf-8") for path, text in files.items()
        )
    except OSError as exc:
        raise TroubleError("storage-failed", f"can't write {exc.filename}: {exc.strerror}") from exc
    if not is_same:
        raise TroubleError(
            "platform",
            f"{config} names a platform already, and nothing was changed: keep it with `doorbell init` alone, "
            "or delete its [platform] section and run this again",
        )


def _platform_of(config: Path) -> dict[str, object] | None:
    """Return what stands under `[platform]`; None where there is no such section."""
    try:
        table = tomllib.loads(config.read_text(encoding="utf-8")) if config.exists() else {}
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{config}: not TOML: {exc}") from exc
    section = table.get("platform")
    return section if section is None or isinstance(section, dict) else {}


def _quoted(text: str) -> str:
    """Write a TOML basic string."""
    escaped = "".join(f"\\u{ord(char):04X}" if char < " " or char in '"\\\x7f' else char for char in text)
    return f'"{escaped}"'
