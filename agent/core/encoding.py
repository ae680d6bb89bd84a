"""Base64 as the protocol wants it: one text for one byte string, nothing else accepted."""

import base64
import binascii


def b64(data: bytes | bytearray | memoryview) -> str:
    """Encode with the standard alphabet and padding."""
    return base64.b64encode(data).decode("ascii")


def unb64(text: object, *, length: int | None = None) -> bytes:
    """Decode canonical standard base64.

    Args:
        text: what claims to be base64.
        length: the number of bytes it must hold, if that is known.

    Raises:
        ValueError: not a string, not canonical, or another length.
    """
    if not isinstance(text, str):
        raise ValueError("not a string")  # noqa: TRY004 - callers hand in parsed JSON: one error for bad data
    try:
        raw = text.encode("ascii")
        data = base64.b64decode(raw, validate=True)
    except (UnicodeEncodeError, binascii.Error) as exc:
        raise ValueError("not base64") from exc
    if base64.b64encode(data) != raw:
        raise ValueError("not canonical base64")
    if length is not None and len(data) != length:
        raise ValueError(f"not {length} bytes")
    return data


def b64url(data: bytes) -> str:
    """Encode with the URL alphabet, without padding."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def unb64url(text: str, *, length: int) -> bytes:
    """Decode canonical URL base64 without padding.

    Raises:
        ValueError: not canonical, or another length.
    """
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as exc:
        raise ValueError("not base64url") from exc
    if b64url(data) != text or len(data) != length:
        raise ValueError("not canonical base64url")
    return data
