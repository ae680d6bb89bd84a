"""Which addresses uplink may talk to: pure rules over host names, URLs and numeric addresses."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from agent.core.errors import ConfigError

_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", re.ASCII)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_LOCALHOST = "127.0.0.1"

MQTT_PORT = 1883
MQTTS_PORT = 8883
HTTPS_PORT = 443
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is. Without TLS `host` is a numeric loopback address."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True)
class HttpsAddress:
    """Where an HTTPS server is and the path under which everything lies, without a slash at its end."""

    host: str
    port: int
    base: str


def is_host(value: object) -> bool:
    """Say whether `value` is a host name or a numeric address that can be connected to."""
    if not isinstance(value, str):
        return False
    return _HOST.fullmatch(value) is not None or _numeric(value) is not None


def is_public(address: str) -> bool:
    """Say whether a numeric address is one of the internet: global unicast, also inside an IPv6 wrapping.

    Private, loopback, link-local, shared, documentation, multicast and reserved addresses are not, nor is
    what is no address.
    """
    found = _numeric(address)
    return found is not None and all(one.is_global and not one.is_multicast for one in _unwrapped(found))


def is_loopback(address: str) -> bool:
    """Say whether a numeric address is this machine's own."""
    found = _numeric(address)
    return found is not None and found.is_loopback


def broker_address(url: str) -> BrokerAddress:
    """Read `[platform] broker`: `mqtts://host[:port]`, or `mqtt://` to a loopback address only.

    Raises:
        ConfigError: anything else (protocol section 5).
    """
    scheme, host, port = _parts("broker", url, ("mqtts", "mqtt"), path=False)
    if scheme == "mqtts":
        return BrokerAddress(host, port or MQTTS_PORT, tls=True)
    host = _LOCALHOST if host == "localhost" else host
    if not is_loopback(host):
        raise ConfigError(
            f"[platform] broker = {url!r}: plain mqtt:// is allowed to this machine only, use mqtts://"
        )
    return BrokerAddress(host, port or MQTT_PORT, tls=False)


def directory_address(url: str) -> HttpsAddress:
    """Read `[platform] directory`: `https://host[:port][/path]`.

    Raises:
        ConfigError: anything else.
    """
    _, host, port = _parts("directory", url, ("https",), path=True)
    return HttpsAddress(host, port or HTTPS_PORT, urlsplit(url).path.rstrip("/"))


def _parts(key: str, url: str, schemes: tuple[str, ...], *, path: bool) -> tuple[str, str, int | None]:
    allowed = " or ".join(f"{scheme}://host[:port]" for scheme in schemes)
    wrong = ConfigError(f"[platform] {key} = {url!r}: allowed is {allowed}, without user, query or fragment")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise wrong from exc
    extra = parts.query or parts.fragment or "@" in parts.netloc or (parts.path.strip("/") and not path)
    if parts.scheme not in schemes or not is_host(parts.hostname) or extra or port == 0:
        raise wrong
    return parts.scheme, str(parts.hostname), port


def _numeric(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _unwrapped(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The IPv4 address that an IPv6 one carries (mapped, 6to4, Teredo, NAT64) beside or instead of itself."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFF_FFFF)]
    inner = [address.sixtofour, *(address.teredo or ())]
    return [address, *(one for one in inner if one is not None)]
