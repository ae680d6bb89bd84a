"""The one file that an installer writes: TOML, closed, typed, handed out in parts.

An unknown key, a wrong type or a value out of range is one line that names the key, the value and what is
allowed. Secrets are paths, or addresses that are not shown. Paths are relative to the file's folder.
"""

import ipaddress
import re
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from agent import config_rules as allow
from agent.config_rules import Rule, Zone
from agent.core.errors import ConfigError
from agent.core.geo import Point

MAX_CONFIG_BYTES: Final = 65_536


def _key(rule: Rule, default: Any = MISSING) -> Any:  # noqa: ANN401 - the field's own type
    if default is MISSING:
        return field(metadata={"rule": rule})
    return field(default=default, metadata={"rule": rule})


def _host_names() -> tuple[str, ...]:
    return (f"{socket.gethostname().split('.')[0].lower()}.local",)


_ADDRESS: Final = allow.string(r"\S{3,500}", "an address")
_GPIO_PIN: Final = allow.integer(0, 27)
_HOST: Final = allow.string(r"[0-9A-Za-z.:_-]{1,253}", "a host name or an IP address")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSettings:
    """`[device]`. `location` is the camera's point, (latitude, longitude) in 1e-7 degree."""

    name: str = _key(allow.text(40), "Doorbell")
    location: Point = _key(allow.location)
    state_dir: Path = _key(allow.path, Path("/var/lib/doorbell"))
    run_dir: Path = _key(allow.path, Path("/run/doorbell"))
    time_zone: str = _key(allow.time_zone, "UTC")
    clock: str = _key(allow.one_of("auto", "host"), "auto")


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """`[camera]`. Sizes are (width, height) in px, `bitrate` in bit/s, zones in fractions of the picture.

    A network camera's address holds its password, so `source` is not shown.
    """

    source: str = field(repr=False, metadata={"rule": allow.camera_source})
    size: tuple[int, int] = _key(allow.pair(64, 4096, even=True), (1280, 720))
    fps: int = _key(allow.integer(1, 60), 15)
    bitrate: int = _key(allow.integer(100_000, 25_000_000), 2_000_000)
    motion_size: tuple[int, int] = _key(allow.pair(64, 1280, even=True), (320, 240))
    privacy_zones: tuple[Zone, ...] = _key(allow.zones, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionSettings:
    """`[motion]`. `minimum_area` is a fraction of the picture."""

    sensitivity: int = _key(allow.integer(1, 10), 5)
    zones: tuple[Zone, ...] = _key(allow.zones, ())
    minimum_area: float = _key(allow.number(0, 0.5), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSettings:
    """`[clips]`."""

    pre_roll_s: float = _key(allow.number(0, 30), 6.0)
    post_roll_s: float = _key(allow.number(1, 60), 8.0)
    segment_s: float = _key(allow.number(1, 10), 4.0)
    max_clip_s: float = _key(allow.number(10, 3600), 120.0)
    max_bytes: int = _key(allow.integer(10_000_000, 10**13), 8_000_000_000)
    max_age_days: int = _key(allow.integer(1, 3650), 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSettings:
    """`[requests]`: the values at the first start. They can only lower the protocol's ceilings."""

    enabled: bool = _key(allow.boolean, default=False)
    cell_precision: int = _key(allow.integer(3, 4), 4)
    max_window_s: int = _key(allow.integer(60, 43_200), 43_200)
    max_area_m2: int = _key(allow.integer(65_000, 1_300_000), 1_300_000)
    max_lookback_days: int = _key(allow.integer(1, 30), 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSettings:
    """`[consent]`."""

    grace_s: int = _key(allow.integer(5, 3600), 60)
    daily_approvals: int = _key(allow.integer(1, 20), 3)
    button: str = _key(allow.one_of("auto", "always", "never"), "auto")


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonSettings:
    """`[button]`: the owner's, indoors. GPIO numbers, None where nothing is wired."""

    pin: int | None = _key(_GPIO_PIN, None)
    lamp_pin: int | None = _key(_GPIO_PIN, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BellSettings:
    """`[bell]`: the visitor's button."""

    pin: int | None = _key(_GPIO_PIN, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    """`[page]`. `names` are what the page may be called by, beside `host`."""

    host: str = _key(_HOST, "0.0.0.0")  # noqa: S104 - the home network is the page's place
    port: int = _key(allow.integer(1, 65_535), 8443)
    names: tuple[str, ...] = field(
        default_factory=_host_names,
        metadata={"rule": allow.strings(_HOST, 8, "a list of up to 8 host names")},
    )
    idle_s: int = _key(allow.integer(10, 86_400), 600)

    @property
    def all_names(self) -> tuple[str, ...]:
        """Every name that the page answers to; a host that means every address is none."""
        try:
            is_name = not ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            is_name = True
        return (*self.names, self.host) if is_name else self.names

    @property
    def link_host(self) -> str:
        """The name in a pairing link, as it stands in a URL: the host where it is one, else the first name."""
        names = self.all_names
        name = self.host if self.host in names else names[0]
        return f"[{name}]" if ":" in name else name


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSettings:
    """`[platform]`: what the platform's bundle says, and who this device is to its broker."""

    broker: str = _key(allow.string(r"mqtts?://[^/\s@]+", '"mqtts://host" or "mqtts://host:port"'))
    directory: str = _key(allow.string(r"https://[^\s?#@]+", '"https://host/path"'))
    ca: Path = _key(allow.path)
    root: Path = _key(allow.path)
    username: str | None = _key(allow.text(80), None)
    password_file: Path | None = _key(allow.path, None)
    client_certificate: Path | None = _key(allow.path, None)
    client_key: Path | None = _key(allow.path, None)
    private_addresses: bool = _key(allow.boolean, default=False)
    directory_delay_s: int = _key(allow.integer(0, 600), 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """`[notify]`. URLs hold secrets: they are not shown."""

    urls: tuple[str, ...] = field(
        default=(),
        repr=False,
        metadata={"rule": allow.strings(_ADDRESS, 8, "a list of up to 8 addresses")},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file. Only composition roots hold it; each part gets only its own."""

    path: Path
    device: DeviceSettings
    camera: CameraSettings
    motion: MotionSettings
    clips: ClipSettings
    requests: RequestSettings
    consent: ConsentSettings
    button: ButtonSettings
    bell: BellSettings
    page: PageSettings
    platform: PlatformSettings
    notify: NotifySettings


_Part = TypeVar("_Part")
_SECTIONS: Final[dict[str, type[Any]]] = {
    "device": DeviceSettings,
    "camera": CameraSettings,
    "motion": MotionSettings,
    "clips": ClipSettings,
    "requests": RequestSettings,
    "consent": ConsentSettings,
    "button": ButtonSettings,
    "bell": BellSettings,
    "page": PageSettings,
    "platform": PlatformSettings,
    "notify": NotifySettings,
}
_SECRET: Final = frozenset({"notify.urls"})
_FILE: Final = "file:"


def _shown(value: object) -> str:
    """Return a value for an error's line, without what may be a password: all behind `://` and before `@`."""
    try:
        return re.sub(r"\S+@", "…@", re.sub(r"://.+", "://…", repr(value)))[:80]
    except (ValueError, RecursionError):  # more digits or more nesting than Python writes
        return "…"


def _value(name: str, key: Field[Any], value: object, folder: Path) -> object:
    try:
        checked = key.metadata["rule"](value)
    except allow.NotAllowedError as exc:
        shown = "…" if name in _SECRET else _shown(value)
        raise ConfigError(f"{name} = {shown}: allowed is {exc}") from exc
    if name == "camera.source" and str(checked).startswith(_FILE):  # a path too, though not alone
        return f"{_FILE}{folder / str(checked).removeprefix(_FILE)}"
    return folder / checked if isinstance(checked, Path) else checked


def _part(section: str, kind: type[_Part], table: object, folder: Path) -> _Part:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{section} = {_shown(table)}: allowed is a section [{section}]")
    known = {key.name: key for key in fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in known:
            raise ConfigError(f"{section}.{name}: unknown key; allowed are {', '.join(known)}")
    for key in known.values():
        required = key.default is MISSING and key.default_factory is MISSING
        if required and key.name not in table:
            if section == "platform" and not table:
                raise ConfigError("[platform]: missing; `doorbell init --platform BUNDLE` adds it")
            raise ConfigError(f"{section}.{key.name}: missing; it has no default")
    return kind(**{name: _value(f"{section}.{name}", known[name], table[name], folder) for name in table})


def _check_together(config: Config) -> None:
    """Check what two keys say of each other."""
    if config.consent.button == "always" and config.button.pin is None:
        raise ConfigError('consent.button = "always": allowed only with button.pin; set the pin or use "auto"')
    if not config.page.all_names:
        raise ConfigError("page.names = []: allowed is at least one, as page.host is every address")
    pins = [config.button.pin, config.button.lamp_pin, config.bell.pin]
    wired = [pin for pin in pins if pin is not None]
    if len(set(wired)) != len(wired):
        raise ConfigError(f"button.pin, button.lamp_pin, bell.pin = {wired}: allowed are different pins")
    if (config.platform.client_certificate is None) != (config.platform.client_key is None):
        raise ConfigError("platform.client_certificate, platform.client_key: allowed are both or neither")


def parse_config(text: str, path: Path) -> Config:
    """Parse the configuration; `path` is where it came from.

    Raises:
        ConfigError: the first thing that is wrong, on one line.
    """
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:  # also more digits or more nesting than Python reads
        raise ConfigError(f"{path}: not TOML: {exc}") from exc
    for name in tables:
        if name not in _SECTIONS:
            raise ConfigError(f"[{name}]: unknown section; allowed are {', '.join(_SECTIONS)}")
    folder = path.parent.absolute()
    parts = {name: _part(name, kind, tables.get(name, {}), folder) for name, kind in _SECTIONS.items()}
    config = Config(path=path, **parts)
    _check_together(config)
    return config


def load_config(path: Path) -> Config:
    """Read and parse the configuration file.

    Raises:
        ConfigError: it can't be read, or what is wrong with it.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}; name the file by --config or DOORBELL_CONFIG") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: not UTF-8 text") from exc
    if len(raw) > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path}: longer than {MAX_CONFIG_BYTES} bytes")
    return parse_config(text, path)
