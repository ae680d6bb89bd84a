"""The units: systemd reads them without a word, and each has the walls that the architecture's table asks for."""

import shutil
import subprocess
from pathlib import Path

import pytest

from agent.services.vault.peers import USERS
from tests.systemd.verify import UNITS, complaints, service_names, unit_names

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")

LIMIT = 15  # tenths: an exposure of 1.5


def settings(name: str) -> dict[str, list[str]]:
    """A unit's settings: key → its values in order."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_systemd_reads_every_unit_without_a_word() -> None:
    assert complaints() == ""


def test_a_key_that_systemd_does_not_know_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in unit_names():
        shutil.copy(UNITS / name, tmp_path)
    broken = tmp_path / "doorbell-vault.service"
    broken.write_text(broken.read_text().replace("[Service]", "[Service]\nPrivateNetwrok=yes"))
    monkeypatch.setattr("tests.systemd.verify.UNITS", tmp_path)
    assert "PrivateNetwrok" in complaints()


@pytest.mark.parametrize("name", service_names())
def test_no_service_is_exposed_more_than_the_limit(name: str) -> None:
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={LIMIT}", str(UNITS / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-200:] + told.stderr


@pytest.mark.parametrize("name", service_names())
def test_every_service_has_its_own_user_says_when_it_is_ready_and_comes_back(name: str) -> None:
    unit = settings(name)
    process = name.removeprefix("doorbell-").removesuffix(".service")
    assert unit["User"] == [f"doorbell-{process}"]
    assert unit["ExecStart"] == [f"/opt/doorbell/bin/doorbell {process}"]
    assert unit["Type"] == ["notify"]
    assert int(unit["WatchdogSec"][0]) > 0
    assert unit["Restart"] == ["on-failure" if process == "page" else "always"]
    assert unit["StartLimitIntervalSec"] == ["0"]
    assert {"RestartSteps", "RestartMaxDelaySec"} <= unit.keys()
    assert unit["CapabilityBoundingSet"] == [""]
    assert unit["NoNewPrivileges"] == ["yes"]


def test_recorder_vault_and_page_see_no_network_and_only_uplink_does() -> None:
    for name in ("recorder", "vault", "page"):
        unit = settings(f"doorbell-{name}.service")
        assert unit["PrivateNetwork"] == ["yes"]
        assert "AF_INET" not in unit["RestrictAddressFamilies"][0]
    assert settings("doorbell-uplink.service")["RestrictAddressFamilies"] == ["AF_UNIX AF_INET AF_INET6"]


def test_only_the_recorder_gets_the_camera_and_only_the_vault_the_button() -> None:
    assert settings("doorbell-recorder.service")["DeviceAllow"] == [
        "char-video4linux rw",
        "char-media rw",
        "char-dma_heap rw",
    ]
    assert settings("doorbell-vault.service")["DeviceAllow"] == ["char-gpiochip rw"]
    for name in ("page", "uplink"):
        unit = settings(f"doorbell-{name}.service")
        assert "DeviceAllow" not in unit
        assert unit["PrivateDevices"] == ["yes"]
    assert all(settings(name)["DevicePolicy"] == ["closed"] for name in service_names())


def test_uplink_sees_no_state_and_page_only_its_own() -> None:
    assert settings("doorbell-uplink.service")["TemporaryFileSystem"] == ["/var/lib:ro"]
    assert not {"BindPaths", "ReadWritePaths"} & settings("doorbell-uplink.service").keys()
    assert settings("doorbell-page.service")["TemporaryFileSystem"] == ["/var/lib:ro"]
    assert settings("doorbell-page.service")["BindPaths"] == ["/var/lib/doorbell/page"]


def test_the_recorder_reaches_no_key_of_vault_or_page() -> None:
    hidden = settings("doorbell-recorder.service")["InaccessiblePaths"][0].split()
    assert {"-/var/lib/doorbell/vault", "-/var/lib/doorbell/page"} <= set(hidden)


def test_the_pages_door_is_open_to_the_home_network_only() -> None:
    for name in ("doorbell-page.socket", "doorbell-page.service"):
        unit = settings(name)
        assert unit["IPAddressDeny"] == ["any"]
        allowed = unit["IPAddressAllow"][0].split()
        assert set(allowed) == {
            "localhost",
            "link-local",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "fc00::/7",
        }


def test_the_vault_tells_its_peers_apart_by_the_users_of_their_units() -> None:
    assert {f"doorbell-{name}.service" for name in USERS} == {*service_names()} - {"doorbell-vault.service"}
    for name, user in USERS.items():
        assert settings(f"doorbell-{name}.service")["User"] == [user]
    assert "PrivateUsers" not in settings("doorbell-vault.service")  # it would see every peer as nobody


def test_who_keeps_time_may_ask_the_kernel_for_it() -> None:
    for name in ("recorder", "vault"):
        unit = settings(f"doorbell-{name}.service")
        assert "ProtectClock" not in unit  # would forbid adjtimex, and no clock would ever be trusted
        assert unit["SystemCallFilter"][-1] == "adjtimex clock_adjtime"


def test_users_and_folders_are_accepted_by_systemds_own_tools(tmp_path: Path) -> None:
    for tool in ("systemd-sysusers", "systemd-tmpfiles"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not here")
    (tmp_path / "etc").mkdir()
    users = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", str(UNITS / "sysusers.d" / "doorbell.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    if "Permission" in users.stderr or "not permitted" in users.stderr:
        pytest.skip("needs root to write into a root of its own")
    assert users.returncode == 0, users.stderr
    made = (tmp_path / "etc" / "passwd").read_text()
    assert all(f"doorbell-{name}:" in made for name in ("recorder", "vault", "page", "uplink"))
    shared = dict(line.split(":")[::3] for line in (tmp_path / "etc" / "group").read_text().splitlines())
    assert set(shared["doorbell-store"].split(",")) == {"doorbell-recorder", "doorbell-vault"}
    folders = subprocess.run(
        ["systemd-tmpfiles", "--create", f"--root={tmp_path}", str(UNITS / "tmpfiles.d" / "doorbell.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folders.returncode, folders.stderr) == (0, "")
    assert (tmp_path / "var/lib/doorbell/vault").stat().st_mode & 0o7777 == 0o700
    assert (tmp_path / "var/lib/doorbell/segments").stat().st_mode & 0o7777 == 0o2770
