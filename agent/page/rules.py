"""The page's closed rules: who may speak to it, how much, and what each refusal is called (protocol section 10).

Pure: words in, verdicts out. `app` and `guard` apply them.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from agent.core.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_BODY: Final = 65_536
MAX_DECISION_BODY: Final = 1_048_576
MAX_STANZAS_BODY: Final = 524_288
MAX_PAGE: Final = 512
MAX_CLIPS: Final = 100
DEFAULT_CLIPS: Final = 20
HTTPS_PORT: Final = 443

COOKIE: Final = "__Host-s"
# A session's secret is made by the vault; this only keeps junk out of the socket.
MAX_COOKIE_CHARS: Final = 128

# No inline script or style, nothing from elsewhere, no frame around the page; films come from blobs.
CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src blob:; "
    "img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
SECURITY_HEADERS: Final[tuple[tuple[str, str], ...]] = (
    ("content-security-policy", CONTENT_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ("x-frame-options", "DENY"),
)

_STATUS: Final[Mapping[str, int]] = {
    "NO_SESSION": 401,
    "NOT_FOUND": 404,
    "P_CLOSED": 403,
    "P_MAC": 403,
    "C_APPROVER": 403,
    "C_SIG": 403,
    "C_STATE": 409,
    "C_NONCE": 409,
    "C_STALE": 409,
    "C_CLOCK": 409,
    "C_LOCKED": 409,
    "C_RATE": 429,
    "E_SIZE": 413,
    "E_HOST": 400,
    "E_ORIGIN": 403,
    "E_CONTENT": 415,
    "E_METHOD": 405,
    "E_TIMEOUT": 408,
    "E_BUSY": 503,
}


def status_of(code: str) -> int:
    """HTTP status of a refusal; what is not listed is the sender's fault: 400."""
    return _STATUS.get(code, 400)


def _spellings(host: str) -> set[str]:
    """Return `host` as written and as browsers send it: names in lower case, IPv6 addresses in brackets."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return {host, host.lower()}
    return {f"[{address.compressed}]" if address.version == 6 else address.compressed}  # noqa: PLR2004 IPv6


def is_wildcard(host: str) -> bool:
    """Say whether `host` means every address, and so is no name."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return not host


def allowed_hosts(names: Iterable[str], host: str, port: int) -> frozenset[str]:
    """Every `Host` that the page answers to: each name, and `host` unless it means "all", with the port.

    Browsers leave out the port of a plain https URL, so at 443 the bare name counts too.
    """
    bare = {spelling for name in names for spelling in _spellings(name)}
    if not is_wildcard(host):
        bare |= _spellings(host)
    with_port = {f"{name}:{port}" for name in bare}
    return frozenset(with_port | bare if port == HTTPS_PORT else with_port)


def check_post(headers: Mapping[str, str]) -> None:
    """Refuse a state-changing request whose headers a page of another origin could have made.

    Such a page can send neither `X-Doorbell` nor JSON without a preflight, which is never answered; `Origin` and
    `Sec-Fetch-Site` are checked where the browser sends them.

    Mitigates against: cross-site request forgery, also by another port of the same name.

    Raises:
        RefusedError: E_ORIGIN, E_CONTENT.
    """
    if headers.get("x-doorbell") != "1":
        raise RefusedError("E_ORIGIN", "X-Doorbell is missing")
    origin = headers.get("origin")
    if origin is not None and origin != f"https://{headers.get('host', '')}":
        raise RefusedError("E_ORIGIN", "another origin")
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise RefusedError("E_ORIGIN", "another site")
    media_type = headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        raise RefusedError("E_CONTENT", "the body is not application/json")


def whole_number(text: str | None, *, high: int) -> int | None:
    """Read a query value: an integer within [0, high], or None for anything else."""
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > len(str(high)):
        return None
    value = int(text)
    return value if value <= high else None
