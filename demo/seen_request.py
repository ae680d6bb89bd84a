"""A request as the owner's phone verified it, whatever the doorbell says (protocol section 10)."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.core.envelope import Envelope, check_signature, parse_envelope, payload_type
from agent.core.errors import RefusedError
from agent.core.ids import Id, Sha256, kid_of, sha256_hex

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class SeenRequest:
    """A request as the phone verified it."""

    id: Id
    sha256: Sha256
    payload: dict[str, Any]
    agency: dict[str, Any]
    platform: dict[str, Any]
    state: str
    nonce: str
    declined: dict[str, Any] | None


def seen_request(answer: dict[str, Any], request_id: str) -> SeenRequest:
    """Verify the answer of `GET /api/requests/<id>`.

    Raises:
        RefusedError: a signature, a hash or a name in it is wrong.
    """
    platform, agency = answer["platform"], answer["agency"]
    envelope = parse_envelope(json.dumps(answer["envelope"]).encode(), counts=(2,))
    if envelope.payload_type != payload_type("request"):
        raise RefusedError("E_TYPE", "this is no request")
    _check_both(envelope, _by_kid(platform["dispatch"]), _by_kid(agency["sign"]))
    payload = json.loads(envelope.payload)
    if sha256_hex(envelope.payload) != answer["sha256"] or payload["id"] != request_id:
        raise RefusedError("E_REPLAY", "the doorbell shows another request")
    if payload["agency"] != agency["id"] or payload["enc_pub"] not in {key["pub"] for key in agency["enc"]}:
        raise RefusedError("E_REPLY", "the answer would go to somebody else")
    return SeenRequest(
        id=Id(request_id),
        sha256=Sha256(answer["sha256"]),
        payload=payload,
        agency=agency,
        platform=platform,
        state=answer["state"],
        nonce=answer["nonce"],
        declined=answer.get("declined"),
    )


def _check_both(envelope: Envelope, dispatch: dict[str, bytes], agency: dict[str, bytes]) -> None:
    signers = {signature.keyid for signature in envelope.signatures}
    if not (signers & dispatch.keys() and signers & agency.keys()):
        raise RefusedError("E_SIG", "dispatch and the agency did not sign together")
    for signature in envelope.signatures:
        check_signature(envelope, signature, (dispatch | agency)[signature.keyid])


def _by_kid(keys: Sequence[dict[str, Any]]) -> dict[str, bytes]:
    """Public keys by the kid that their bytes have, whatever the file calls them."""
    found = [b64decode(key["pub"]) for key in keys]
    return {kid_of(public): public for public in found}
