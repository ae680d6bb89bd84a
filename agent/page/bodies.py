"""Bodies that phones send: bounded before they are read, strict before they are believed.

Each `read_*` returns a value of a closed form; everything that is not that form is a `RefusedError`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from agent.core import ids, strict_json, text
from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from agent.page.rules import MAX_DECISION_BODY, MAX_PAGE

if TYPE_CHECKING:
    from starlette.requests import Request

READ_S: Final = 20.0
# After a refusal the rest of a body is read and dropped, so that the answer isn't lost to a reset connection.
DRAIN_BYTES: Final = 2 * MAX_DECISION_BODY
DRAIN_S: Final = 3.0
MAX_NAME_CHARS: Final = 40
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
STANZA_BYTES: Final = 64


async def read_body(request: Request, *, max_bytes: int) -> strict_json.Json:
    """Read and parse one JSON body.

    Raises:
        RefusedError: E_SIZE beyond `max_bytes`, E_TIMEOUT when it takes too long, E_JSON.
    """
    declared = request.headers.get("content-length")
    if declared is not None and (not declared.isdecimal() or int(declared[:12]) > max_bytes):
        raise RefusedError("E_SIZE", f"more than {max_bytes} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(READ_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise RefusedError("E_SIZE", f"more than {max_bytes} bytes")
    except TimeoutError as exc:
        raise RefusedError("E_TIMEOUT", "the body took too long") from exc
    return strict_json.parse(body, max_bytes=max_bytes)


async def drain(request: Request) -> None:
    """Read and drop what is left of a refused body, within bounds."""
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_S):
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:
                    return
    except (TimeoutError, RuntimeError):  # RuntimeError: the stream was consumed before
        return


def _bytes_field(body: dict[str, strict_json.Json], key: str, length: int) -> str:
    value = body[key]
    try:
        unb64(value, length=length)
    except ValueError as exc:
        raise RefusedError("E_SCHEMA", f"{key} is not {length} bytes of base64") from exc
    return cast("str", value)


def pair_body(value: strict_json.Json) -> dict[str, str]:
    """`{name, sign_pub, open_pub, mac}`, each of its form; a malformed body is no try (section 10)."""
    body = strict_json.closed(value, frozenset({"name", "sign_pub", "open_pub", "mac"}), "E_SCHEMA", "pairing")
    if not text.is_text(body["name"], limit=MAX_NAME_CHARS):
        raise RefusedError("E_TEXT", "the phone's name is not a text of at most 40 signs")
    keys = {key: _bytes_field(body, key, KEY_BYTES) for key in ("sign_pub", "open_pub", "mac")}
    return {"name": cast("str", body["name"]), **keys}


def phone_body(value: strict_json.Json) -> str:
    """`{phone}`."""
    body = strict_json.closed(value, frozenset({"phone"}), "E_SCHEMA", "challenge")
    if not ids.is_kid(body["phone"]):
        raise RefusedError("E_SCHEMA", "phone is not a kid")
    return body["phone"]


def session_body(value: strict_json.Json) -> tuple[str, str]:
    """`{phone, sig}`."""
    body = strict_json.closed(value, frozenset({"phone", "sig"}), "E_SCHEMA", "session")
    if not ids.is_kid(body["phone"]):
        raise RefusedError("E_SCHEMA", "phone is not a kid")
    return body["phone"], _bytes_field(body, "sig", SIGNATURE_BYTES)


def envelope_body(value: strict_json.Json) -> bytes:
    """`{envelope}`: the envelope's JSON; what is in it is the vault's business."""
    body = strict_json.closed(value, frozenset({"envelope"}), "E_SCHEMA", "body")
    if not isinstance(body["envelope"], dict):
        raise RefusedError("E_SCHEMA", "envelope is no object")
    return strict_json.dump(body["envelope"])


def empty_body(value: strict_json.Json) -> None:
    """`{}`."""
    strict_json.closed(value, frozenset(), "E_SCHEMA", "body")


def stanzas_body(value: strict_json.Json) -> list[dict[str, str]]:
    """`[{id, stanza}]`, at most 512."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_PAGE:
        raise RefusedError("E_SCHEMA", "not a list of 1 to 512 stanzas")
    stanzas: list[dict[str, str]] = []
    for item in value:
        row = strict_json.closed(item, frozenset({"id", "stanza"}), "E_SCHEMA", "stanza")
        if not ids.is_id(row["id"]):
            raise RefusedError("E_SCHEMA", "id is not an id")
        stanzas.append({"id": row["id"], "stanza": _bytes_field(row, "stanza", STANZA_BYTES)})
    return stanzas
