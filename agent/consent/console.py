"""A decision without a phone: the button or `doorbell approve` at the console (protocol section 11).

The vault itself makes the consent, signs it with the button's key and wraps to the agency what the button's
open key opens. That key is made at each start of the vault, so nothing recorded before can be shared this
way. The envelope then passes the same checks as a phone's: there is no second door.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.consent.consent_form import MAX_SEGMENTS, Channel, Decision, Grant, SegmentRef
from agent.consent.consents import (
    Consent,
    check_clock,
    check_consent,
    check_current,
    check_rate,
    step_5_state,
)
from agent.consent.decision_facts import DecisionFacts
from agent.consent.states import State
from agent.core.encoding import b64
from agent.core.envelope import sign
from agent.core.errors import BugError, RefusedError
from agent.core.ids import Id, Kid, kid_of, new_id
from agent.core.keys import raw_public
from agent.core.seal import grant_info, hpke_seal, open_cek, stanza_info
from agent.core.strict_json import dump


@dataclass(frozen=True, slots=True)
class ButtonKeys:
    """The vault's two button keys; `open_key` lives in RAM only."""

    sign_key: Ed25519PrivateKey = field(repr=False)
    open_key: X25519PrivateKey = field(repr=False)

    @property
    def kid(self) -> Kid:
        """The approver's name in what the button signs."""
        return kid_of(raw_public(self.sign_key))

    @property
    def open_kid(self) -> Kid:
        """The recipient's name in the button's stanzas."""
        return kid_of(raw_public(self.open_key))


def make_console_consent(
    facts: DecisionFacts,
    keys: ButtonKeys,
    *,
    decision: Decision,
    channel: Channel,
    stanzas: Mapping[Id, bytes],
) -> Consent:
    """Make, sign and check a decision by the button's key.

    Args:
        facts: what is known now. A nonce of the button for this request is issued from `facts.nonces`; the
            caller spends it like a phone's.
        keys: the button's keys.
        decision: share or decline.
        channel: button or console.
        stanzas: by segment id, the stanzas that the button's open key may open. A share names every matching
            segment that opens: at most 512, the earliest first.

    Raises:
        RefusedError: as `check_consent`; C_LOCKED when none opens.
        BugError: the channel is a phone's.
    """
    if channel is Channel.PHONE or keys.kid != kid_of(facts.button_pub):
        raise BugError("the button signs for button and console only, with its own key")
    prev = facts.declined.id if facts.declined is not None and facts.state is State.DECLINED else None
    grants: list[Grant] = []
    if decision is Decision.SHARE:
        recheck = step_5_state(facts, shares=True, approver=keys.kid, prev=prev)
        check_current(facts, recheck)
        check_clock(facts, recheck)
        check_rate(facts)
        grants = _open_and_wrap(facts, keys, stanzas)
    nonce = facts.nonces.issue(keys.kid, facts.request.id, facts.now_ns)
    payload = _payload(facts, keys.kid, decision, channel, grants, nonce, prev)
    return check_consent(sign("consent", payload, [keys.sign_key]), facts)


def _open_and_wrap(facts: DecisionFacts, keys: ButtonKeys, stanzas: Mapping[Id, bytes]) -> list[Grant]:
    grants: list[Grant] = []
    for segment in sorted(facts.segments, key=lambda segment: (segment.start_ms, segment.id)):
        if len(grants) == MAX_SEGMENTS:
            break
        stanza = stanzas.get(segment.id)
        if stanza is None:
            continue
        cek = _open(keys, segment, stanza)
        if cek is not None:
            info = grant_info(facts.request.sha256, segment.sha256)
            grants.append(Grant(segment, hpke_seal(facts.request.enc_pub, cek, info)))
    if not grants:
        raise RefusedError("C_LOCKED", "the button's key opens none of these; share from a phone")
    return grants


def _open(keys: ButtonKeys, segment: SegmentRef, stanza: bytes) -> bytes | None:
    try:
        return open_cek(keys.open_key, stanza, stanza_info(segment.id, keys.open_kid))
    except RefusedError:
        return None  # sealed to the key of an earlier start; the others may open


def _payload(
    facts: DecisionFacts,
    approver: Kid,
    decision: Decision,
    channel: Channel,
    grants: list[Grant],
    nonce: Id,
    prev: Id | None,
) -> bytes:
    request = facts.request
    named = [
        {
            "id": grant.segment.id,
            "sha256": grant.segment.sha256,
            "bytes": grant.segment.size_bytes,
            "start_ms": grant.segment.start_ms,
            "end_ms": grant.segment.end_ms,
            "wrap": b64(grant.wrap),
        }
        for grant in grants
    ]
    return dump(
        {
            "v": 1,
            "id": new_id(),
            "decision": decision.value,
            "request": {"id": request.id, "sha256": request.sha256},
            "agency": request.agency,
            "enc_pub": b64(request.enc_pub),
            "ep": request.endpoint,
            "segments": named,
            "contact": None,
            "approver": approver,
            "channel": channel.value,
            "nonce": nonce,
            "at": facts.now_s,
            "prev": prev,
        }
    )
