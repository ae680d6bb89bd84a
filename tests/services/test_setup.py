"""`doorbell init`, the owner's card, the platform's bundle, and `doorbell reset`."""

import hashlib
import json
import socket
import stat
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.config import load_config
from agent.core.errors import ConfigError, TroubleError
from agent.core.recovery import decode_recovery
from agent.page.tls_identity import TlsIdentity
from agent.services.setup import initialise, install_bundle, read_bundle, reset
from agent.services.unix_server import Server
from agent.services.vault.keys import load_keys, make_keys
from tests.fakes.pairing_link import parse_link
from tests.fakes.vault_rig import make_config

BUNDLE = """
name = "Example platform"
broker = "mqtts://broker.example"
directory = "https://directory.example/d"
ca = "-----BEGIN CERTIFICATE-----\\n"
root = '{"signed": {}}'
username = "door \\"one\\""
"""


def test_init_makes_keys_that_only_their_owner_reads(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    initialise(config, with_recovery=True)
    keys = config.device.state_dir / "vault" / "keys"
    for path in [*keys.iterdir(), config.device.state_dir / "page" / "tls.key"]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert load_keys(keys).device_kid
    assert "PRIVATE" not in repr(load_keys(keys))


def test_the_card_names_the_page_by_its_key(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    card = initialise(config, with_recovery=True)
    link = parse_link(card.link)
    assert link.spki == TlsIdentity(config.device.state_dir / "page").spki_sha256
    assert (link.host, link.port) == ("127.0.0.1", 8443)
    assert card.recovery is not None
    assert len(decode_recovery(card.recovery)) == 32


def test_the_recovery_key_is_kept_nowhere(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    card = initialise(config, with_recovery=True)
    assert card.recovery is not None
    private = decode_recovery(card.recovery)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            assert private not in raw
            assert private.hex().encode() not in raw
            assert card.recovery.encode() not in raw


def test_init_twice_keeps_what_is_there(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    initialise(config, with_recovery=False)
    before = load_keys(config.device.state_dir / "vault" / "keys").device_kid
    with pytest.raises(TroubleError, match="doorbell reset"):
        initialise(config, with_recovery=False)
    assert load_keys(config.device.state_dir / "vault" / "keys").device_kid == before


def test_reset_deletes_everything_and_init_starts_anew(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    initialise(config, with_recovery=True)
    before = load_keys(config.device.state_dir / "vault" / "keys").device_kid
    (config.device.state_dir / "segments" / "one.seg").write_bytes(b"sealed")
    (config.device.state_dir / "recipients.json").write_text("{}")
    assert {path.name for path in reset(config)} == {"vault", "page", "segments", "recipients.json"}
    assert not any(path.is_file() for path in config.device.state_dir.rglob("*"))
    assert reset(config) == []
    initialise(config, with_recovery=True)
    assert load_keys(config.device.state_dir / "vault" / "keys").device_kid != before


def test_reset_keeps_the_folders_that_belong_to_the_units_users(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    initialise(config, with_recovery=False)
    folders = [config.device.state_dir / name for name in ("vault", "page", "segments", "quarantine")]
    folders[2].chmod(0o2770)  # as tmpfiles.d gave it: the group is handed on
    before = {folder: (folder.stat().st_ino, folder.stat().st_mode) for folder in folders}
    assert reset(config)
    initialise(config, with_recovery=False)
    assert {folder: (folder.stat().st_ino, folder.stat().st_mode) for folder in folders} == before


def test_reset_tells_programs_what_it_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = make_config(tmp_path)
    initialise(config, with_recovery=False)
    assert main(["reset", "--yes", "--json", "--config", str(config.path)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "deleted": [str(config.device.state_dir / name) for name in ("vault", "page")]
    }


def test_reset_refuses_while_the_doorbell_runs(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    initialise(config, with_recovery=False)
    server = Server(config.device.run_dir / "console.sock", socket.socket.close)
    with pytest.raises(TroubleError, match="stop it first"):
        reset(config)
    server.close()


def test_reset_is_not_held_up_by_a_socket_that_a_power_cut_left(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    initialise(config, with_recovery=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(config.device.run_dir / "console.sock"))
    assert reset(config)


def test_a_platform_bundle_becomes_the_platform_section(tmp_path: Path) -> None:
    (tmp_path / "platform.toml").write_text(BUNDLE)
    config = tmp_path / "doorbell.toml"
    config.write_text('[device]\nlocation = [1.0, 2.0]\n[camera]\nsource = "scene:porch"\n')
    bundle = read_bundle(tmp_path / "platform.toml")
    assert bundle.fingerprint.replace(" ", "") == hashlib.sha256(b'{"signed": {}}').hexdigest()
    install_bundle(bundle, config)
    platform = load_config(config).platform
    assert platform.broker == "mqtts://broker.example"
    assert platform.username == 'door "one"'
    assert json.loads(platform.root.read_text()) == {"signed": {}}


def test_an_init_that_broke_off_can_be_given_the_same_bundle_again(tmp_path: Path) -> None:
    (tmp_path / "platform.toml").write_text(BUNDLE)
    config = tmp_path / "doorbell.toml"
    config.write_text('[device]\nlocation = [1.0, 2.0]\n[camera]\nsource = "scene:porch"')
    bundle = read_bundle(tmp_path / "platform.toml")
    install_bundle(bundle, config)
    with config.open("a") as file:
        file.write('password_file = "broker-password"\n')
    before = config.read_text()
    install_bundle(bundle, config)
    assert config.read_text() == before


@pytest.mark.parametrize("header", ["[platform]", "[ platform ] # ours", "[platform]\n# of the platform\n"])
@pytest.mark.parametrize("changed", ['root = \'{"signed": {"x": 1}}\'', 'broker = "mqtts://other.example"'])
def test_another_platform_changes_nothing_of_a_doorbell_that_has_one(
    tmp_path: Path, header: str, changed: str
) -> None:
    key = changed.split(" ", maxsplit=1)[0]
    (tmp_path / "platform.toml").write_text(BUNDLE)
    config = tmp_path / "doorbell.toml"
    config.write_text('[device]\nlocation = [1.0, 2.0]\n[camera]\nsource = "scene:porch"\n')
    install_bundle(read_bundle(tmp_path / "platform.toml"), config)
    config.write_text(config.read_text().replace("[platform]", header))
    other = [changed if line.startswith(f"{key} =") else line for line in BUNDLE.splitlines()]
    (tmp_path / "other.toml").write_text("\n".join(other))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(TroubleError, match=r"nothing was changed.*delete its \[platform\] section"):
        install_bundle(read_bundle(tmp_path / "other.toml"), config)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name = 1\n",
        BUNDLE + "extra = 1\n",
        "[",
        BUNDLE.replace('"mqtts', '7 # "mqtts'),
        f"name = {'9' * 5000}",
        f"name = {'[' * 20_000}",
    ],
)
def test_what_is_no_bundle_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "platform.toml").write_text(text)
    with pytest.raises(ConfigError) as wrong:
        read_bundle(tmp_path / "platform.toml")
    assert "\n" not in str(wrong.value)


def test_an_init_that_a_power_cut_ended_begins_anew(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    keys = config.device.state_dir / "vault" / "keys"
    keys.parent.mkdir(parents=True)
    make_keys(keys)
    cut = load_keys(keys).device_kid
    card = initialise(config, with_recovery=True)
    assert card.recovery is not None
    assert load_keys(keys).device_kid != cut
