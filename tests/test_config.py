"""The configuration: closed, typed, and one plain line for what is wrong."""

from pathlib import Path

import pytest

from agent.config import load_config, parse_config
from agent.core.errors import ConfigError

GOOD = """
[device]
location = [51.5033, -0.1276]
[camera]
source = "scene:porch"
[platform]
broker = "mqtts://broker.example"
directory = "https://directory.example/d"
ca = "ca.pem"
root = "root.json"
"""
PATH = Path("/etc/doorbell/doorbell.toml")


def _with(section: str, line: str) -> str:
    if f"[{section}]" in GOOD:
        return GOOD.replace(f"[{section}]\n", f"[{section}]\n{line}\n")
    return f"{GOOD}\n[{section}]\n{line}\n"


def test_only_what_has_no_default_must_be_written() -> None:
    config = parse_config(GOOD, PATH)
    assert config.device.location == (515_033_000, -1_276_000)
    assert config.requests.enabled is False
    assert config.consent.grace_s == 60
    assert config.platform.ca == Path("/etc/doorbell/ca.pem")


@pytest.mark.parametrize(
    ("section", "line", "said"),
    [
        ("device", "colour = 1", "device.colour: unknown key; allowed are name"),
        ("device", 'clock = "sundial"', 'device.clock = \'sundial\': allowed is "auto" or "host"'),
        ("device", 'time_zone = "Mars/Olympus"', "the name of a time zone"),
        ("camera", "fps = 0", "camera.fps = 0: allowed is a whole number from 1 to 60"),
        ("camera", "fps = true", "a whole number"),
        ("camera", "size = [641, 360]", "[width, height], even numbers"),
        ("camera", "privacy_zones = [[[0, 0], [2, 0], [0, 1]]]", "in fractions of the picture"),
        ("camera", "privacy_zones = [[[0, 0], [1, 0]]]", "3 to 32 points"),
        ("motion", "sensitivity = 11", "from 1 to 10"),
        ("clips", "pre_roll_s = -1", "a number from 0 to 30"),
        ("clips", "pre_roll_s = nan", "a number from 0 to 30"),
        ("requests", "cell_precision = 5", "from 3 to 4"),
        ("requests", "max_window_s = 43201", "from 60 to 43200"),
        ("consent", "grace_s = 4", "from 5 to 3600"),
        ("consent", "daily_approvals = 21", "from 1 to 20"),
        ("consent", 'button = "maybe"', '"auto" or "always" or "never"'),
        ("consent", 'button = "always"', "allowed only with button.pin"),
        ("button", "pin = 17\nlamp_pin = 17", "different pins"),
        ("platform", 'client_key = "k.pem"', "allowed are both or neither"),
        ("platform", 'password_file = ""', "allowed is a path"),
        ("page", "port = 0", "from 1 to 65535"),
        ("page", 'names = ["bad name"]', "a host name"),
        ("notify", "urls = [7]", "notify.urls = …"),
        ("clips", f"pre_roll_s = {'9' * 400}", "a number from 0 to 30"),
        ("clips", "pre_roll_s = true", "a number from 0 to 30"),
        ("camera", f"fps = 0x{'f' * 5000}", "camera.fps = …: allowed is a whole number"),
        ("motion", f"minimum_area = {'9' * 5000}", "not TOML: "),
        ("motion", f"zones = {'[' * 20_000}", "not TOML: "),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(section: str, line: str, said: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        parse_config(_with(section, line), PATH)
    assert said in str(wrong.value)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize("missing", ["location", "source", "broker", "directory", "ca ", "root"])
def test_a_key_without_a_default_must_be_there(missing: str) -> None:
    text = "\n".join(line for line in GOOD.split("\n") if not line.startswith(missing))
    with pytest.raises(ConfigError, match="missing; it has no default"):
        parse_config(text, PATH)


def test_a_configuration_before_init_says_what_adds_the_platform() -> None:
    text = '[device]\nlocation = [1.0, 2.0]\n[camera]\nsource = "picamera"\n'
    with pytest.raises(ConfigError, match=r"\[platform\]: missing; `doorbell init --platform BUNDLE` adds it"):
        parse_config(text, PATH)


@pytest.mark.parametrize(
    "location",
    ["[91.0, 0.0]", "[0.0]", '"here"', "[inf, 0.0]", "[nan, 0.0]", "[0.0, 180.1]", f"[0, -{'9' * 400}]"],
)
def test_a_location_is_a_point_on_the_map(location: str) -> None:
    with pytest.raises(ConfigError, match="latitude, longitude"):
        parse_config(GOOD.replace("[51.5033, -0.1276]", location), PATH)


def test_a_scene_that_there_is_not_is_named() -> None:
    with pytest.raises(ConfigError, match=r"camera\.source = 'scene:moon'"):
        parse_config(GOOD.replace("scene:porch", "scene:moon"), PATH)
    for name in ("porch", "night", "rain", "still", "street?seed=3"):
        parse_config(GOOD.replace("scene:porch", f"scene:{name}"), PATH)


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("file:clip.mp4", "file:/etc/doorbell/clip.mp4"),
        ("file:pictures/a b?loop=1&fps=5", "file:/etc/doorbell/pictures/a b?loop=1&fps=5"),
        ("file:/srv/clip.mp4?loop=1", "file:/srv/clip.mp4?loop=1"),
    ],
)
def test_a_film_is_looked_for_in_the_files_folder(source: str, meant: str) -> None:
    assert parse_config(GOOD.replace("scene:porch", source), PATH).camera.source == meant


@pytest.mark.parametrize(
    ("lines", "names", "in_link"),
    [
        ('names = ["d.local"]', ("d.local",), "d.local"),
        ('host = "::"\nnames = ["d.local", "d"]', ("d.local", "d"), "d.local"),
        ('host = "192.168.1.7"\nnames = ["d.local"]', ("d.local", "192.168.1.7"), "192.168.1.7"),
        ('host = "::1"\nnames = []', ("::1",), "[::1]"),
    ],
)
def test_the_page_is_called_by_its_names_and_a_host_that_is_one(
    lines: str, names: tuple[str, ...], in_link: str
) -> None:
    page = parse_config(_with("page", lines), PATH).page
    assert page.all_names == names
    assert page.link_host == in_link


def test_a_page_without_any_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"page\.names"):
        parse_config(_with("page", "names = []"), PATH)


def test_broker_and_directory_are_addresses_without_secrets() -> None:
    for bad in ("http://b", "mqtts://user:secret@b", "mqtts://"):
        with pytest.raises(ConfigError, match=r"platform\.broker"):
            parse_config(GOOD.replace("mqtts://broker.example", bad), PATH)
    with pytest.raises(ConfigError, match=r"platform\.directory"):
        parse_config(GOOD.replace("https://directory", "http://directory"), PATH)


def test_what_is_not_toml_or_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not TOML"):
        parse_config("[device", PATH)
    with pytest.raises(ConfigError, match="unknown section"):
        parse_config(GOOD + "[vault]\n", PATH)
    with pytest.raises(ConfigError, match="--config"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(tmp_path / "bytes.toml")
    (tmp_path / "long.toml").write_text("#" * 70_000)
    with pytest.raises(ConfigError, match="longer"):
        load_config(tmp_path / "long.toml")


def test_addresses_with_secrets_are_not_printed() -> None:
    config = parse_config(_with("notify", 'urls = ["mailto://user:secret@example.org"]'), PATH)
    assert "secret" not in repr(config)
    config = parse_config(GOOD.replace("scene:porch", "rtsp://admin:secret@192.168.1.20/a?p=secret"), PATH)
    assert "secret" not in repr(config)


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("scene:porch", "RTSP://admin:secret@camera/1"),
        GOOD.replace("scene:porch", "rtsp://admin:secret@camera/1\\n"),
        GOOD.replace("scene:porch", "rtsp://admin:secret@[camera/1"),
        GOOD.replace("scene:porch", "http://camera/1?password=secret"),
        GOOD.replace('"scene:porch"', '["rtsp://admin:secret@camera/1"]'),
        GOOD.replace("scene:porch", "admin:secret@camera"),
        'camera = "rtsp://admin:secret@camera/1"\n' + GOOD.replace('[camera]\nsource = "scene:porch"\n', ""),
        GOOD.replace("mqtts://broker.example", "mqtts://user:secret@b"),
        'notify = ["mailto://user:secret@example.org"]\n' + GOOD,
    ],
)
def test_what_is_wrong_with_an_address_is_said_without_its_secret(text: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        parse_config(text, PATH)
    assert "secret" not in str(wrong.value)
    assert "allowed is" in str(wrong.value)
