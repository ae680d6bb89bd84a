"""The owner's word, checked: protocol section 11.

`check_consent` takes a fresh decision and `recall_consent` one that was accepted before. Both return a
`Consent`, and nothing else makes one, so whoever holds a `Consent` holds a verified one. Steps, in this order;
code and tests are named after the numbers:

     1 size and JSON of the envelope              E_SIZE, E_JSON
     2 form of the envelope and of the payload    E_SCHEMA
     3 the approver is known and may do this      C_APPROVER
     4 the approver's key signed this channel     C_SIG
     5 the request can be decided; `prev`; E of the re-check   C_STATE
     6 the nonce is this approver's, for this request, alive   C_NONCE
     7 what it names is what is held; D of the re-check; `at`; the directory's timestamp   C_STALE
     8 the clock is trusted                       C_CLOCK
     9 every wrap is as long as a wrap            C_WRAP
    10 the day's shares are not used up           C_RATE

A decline needs no clock, no timestamp and no rate: no is always allowed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, replace
from typing import Final, final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.consent.consent_form import Channel, ConsentForm, RequestRef, SegmentRef, parse_consent
from agent.consent.decision_facts import DecisionFacts, RecheckError
from agent.consent.phones import Phone
from agent.consent.states import DECLINABLE, State
from agent.core.envelope import (
    MAX_CONSENT_BYTES,
    Envelope,
    add_signature,
    check_signature,
    parse_envelope,
    payload_type,
)
from agent.core.errors import BugError, RefusedError
from agent.core.ids import Id, Kid, Sha256, kid_of, sha256_hex
from agent.core.seal import WRAP_BYTES

MAX_SKEW_S: Final = 300  # section 11: `at` within 300 s of now
# The press's signature makes the stored envelope longer than what the phone may send.
MAX_STORED_BYTES: Final = MAX_CONSENT_BYTES + 1_024

_PROOF: Final = object()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A consent whose signatures were verified by this module; it can't be made elsewhere.

    Attributes:
        form: what it says.
        payload: the exact bytes that were verified.
        payload_sha256: their hash, as the log names the consent.
        raw: the envelope.
        button_signed: whether the button's key signed it: as a press, or because it is the approver.
    """

    form: ConsentForm
    payload: bytes
    payload_sha256: Sha256
    raw: bytes
    button_signed: bool
    proof: InitVar[object]

    def __post_init__(self, proof: object) -> None:
        """Refuse whoever did not verify it."""
        if proof is not _PROOF:
            raise BugError("a Consent comes only from check_consent, recall_consent or add_press")


def check_consent(raw: bytes, facts: DecisionFacts) -> Consent:
    """Check a fresh decision, in the order of section 11. Changes nothing: the caller spends the nonce.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SCHEMA, C_APPROVER, C_SIG, C_STATE (as `RecheckError` where the request
            is to be cancelled), C_NONCE, C_STALE, C_CLOCK, C_WRAP, C_RATE.
    """
    envelope, form = _step_1_and_2_form(raw, counts=(1,), max_bytes=MAX_CONSENT_BYTES)
    approver = _step_3_approver(form, facts.phones, facts.button_pub)
    _step_4_signature(envelope, form, approver)
    recheck = step_5_state(facts, shares=form.shares, approver=form.approver, prev=form.prev)
    _step_6_nonce(form, facts)
    _step_7_stale(form, facts, recheck)
    _steps_8_to_10_share(form, facts, recheck)
    return _consent(envelope, form, button_signed=form.channel is not Channel.PHONE)


def recall_consent(raw: bytes, *, phones: Mapping[Kid, Phone], button_pub: bytes) -> Consent:
    """Verify a stored consent again: its form, its approver as of now, and all its signatures.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SCHEMA, C_APPROVER, C_SIG.
    """
    envelope, form = _step_1_and_2_form(raw, counts=(1, 2), max_bytes=MAX_STORED_BYTES)
    _step_4_signature(envelope, form, _step_3_approver(form, phones, button_pub))
    button_signed = form.channel is not Channel.PHONE
    if len(envelope.signatures) > 1:
        _verify(envelope, 1, button_pub)
        button_signed = True
    return _consent(envelope, form, button_signed=button_signed)


def _consent(envelope: Envelope, form: ConsentForm, *, button_signed: bool) -> Consent:
    return Consent(
        form=form,
        payload=envelope.payload,
        payload_sha256=sha256_hex(envelope.payload),
        raw=envelope.raw,
        button_signed=button_signed,
        proof=_PROOF,
    )


def _step_1_and_2_form(raw: bytes, *, counts: tuple[int, ...], max_bytes: int) -> tuple[Envelope, ConsentForm]:
    try:
        envelope = parse_envelope(raw, counts=counts, max_bytes=max_bytes, max_payload=MAX_CONSENT_BYTES)
    except RefusedError as exc:
        # Section 11: faults of the envelope are E_SCHEMA.
        raise RefusedError("E_SCHEMA" if exc.code == "E_ENVELOPE" else exc.code, str(exc)) from exc
    if envelope.payload_type != payload_type("consent"):
        raise RefusedError("E_SCHEMA", "not a consent")
    return envelope, parse_consent(envelope.payload)


@dataclass(frozen=True, slots=True)
class _Approver:
    public: bytes
    is_button: bool


def _step_3_approver(form: ConsentForm, phones: Mapping[Kid, Phone], button_pub: bytes) -> _Approver:
    if form.approver == kid_of(button_pub):
        return _Approver(button_pub, is_button=True)
    phone = phones.get(form.approver)
    if phone is None or not phone.is_paired:
        raise RefusedError("C_APPROVER", "no phone of this house")
    if form.shares and not phone.is_admitted:
        raise RefusedError("C_APPROVER", "this phone waits to be admitted")
    return _Approver(phone.sign_pub, is_button=False)


def _step_4_signature(envelope: Envelope, form: ConsentForm, approver: _Approver) -> None:
    if approver.is_button == (form.channel is Channel.PHONE):
        raise RefusedError("C_SIG", "this key does not sign this channel")
    _verify(envelope, 0, approver.public)


def _verify(envelope: Envelope, index: int, public: bytes) -> None:
    try:
        check_signature(envelope, envelope.signatures[index], public)
    except RefusedError as exc:
        raise RefusedError("C_SIG", str(exc)) from exc


def step_5_state(facts: DecisionFacts, *, shares: bool, approver: Kid, prev: Id | None) -> str | None:
    """Refuse what can't be decided now; return the D result of a share's re-check, if there is one.

    Raises:
        RefusedError: C_STATE; as `RecheckError` where the re-check gave an E result.
    """
    standing = facts.declined if facts.state is State.DECLINED else None
    decidable = facts.state in DECLINABLE
    if shares:
        own = standing is not None and standing.approver == approver
        decidable = facts.state is State.PENDING or own
    if not decidable:
        raise RefusedError("C_STATE", f"the request is {facts.state.value}")
    if prev != (standing.id if standing is not None else None):
        raise RefusedError("C_STATE", "prev is not the approver's own standing decline")
    result = facts.recheck() if shares else None
    if result is not None and result.startswith("E_"):
        raise RecheckError(result)
    return result


def _step_6_nonce(form: ConsentForm, facts: DecisionFacts) -> None:
    if not facts.nonces.holds(form.nonce, form.approver, facts.request.id, facts.now_ns):
        raise RefusedError("C_NONCE", "the nonce is unknown, used, over, or somebody else's")


def _step_7_stale(form: ConsentForm, facts: DecisionFacts, recheck: str | None) -> None:
    check_binding(form, facts.request, facts.segments)
    if facts.trusted and abs(form.at_s - facts.now_s) > MAX_SKEW_S:
        raise RefusedError("C_STALE", "made more than 5 minutes from now")
    if form.shares:
        check_current(facts, recheck)


def check_binding(form: ConsentForm, request: RequestRef, segments: Sequence[SegmentRef]) -> None:
    """Refuse a consent that names anything but what is held; segments that it does not name may come and go.

    Raises:
        RefusedError: C_STALE.
    """
    if form.request != request:
        raise RefusedError("C_STALE", "the request, the agency, its key or its endpoint differs")
    held = {segment.id: segment for segment in segments}
    named: set[Id] = set()
    for grant in form.grants:
        segment = grant.segment
        if segment.id in named or held.get(segment.id) != segment:
            raise RefusedError("C_STALE", "a segment changed, does not match, or is named twice")
        named.add(segment.id)


def check_current(facts: DecisionFacts, recheck: str | None) -> None:
    """Refuse a share that stands on a directory which may be out of date.

    Raises:
        RefusedError: C_STALE.
    """
    if recheck not in {None, "D_CLOCK"}:  # D_CLOCK is what step 8 says
        raise RefusedError("C_STALE", f"the directory has to be fetched first ({recheck})")
    if not facts.timestamp_fresh:
        raise RefusedError("C_STALE", "the directory's timestamp has run out")


def _steps_8_to_10_share(form: ConsentForm, facts: DecisionFacts, recheck: str | None) -> None:
    if not form.shares:
        return
    check_clock(facts, recheck)
    if any(len(grant.wrap) != WRAP_BYTES for grant in form.grants):
        raise RefusedError("C_WRAP", "a wrap is not 64 bytes")
    check_rate(facts)


def check_clock(facts: DecisionFacts, recheck: str | None) -> None:
    """Step 8.

    Raises:
        RefusedError: C_CLOCK.
    """
    if not facts.trusted or recheck is not None:
        raise RefusedError("C_CLOCK", "the clock is not trusted")


def check_rate(facts: DecisionFacts) -> None:
    """Step 10.

    Raises:
        RefusedError: C_RATE.
    """
    if facts.approvals_today >= facts.daily_approvals:
        raise RefusedError("C_RATE", f"{facts.daily_approvals} shares were made in the last 24 hours")


def add_press(consent: Consent, button_key: Ed25519PrivateKey) -> Consent:
    """Return the same consent with the button key's signature: what a press in CONFIRMING does.

    Raises:
        BugError: the button signed already, or there is nothing to confirm.
    """
    if consent.button_signed or not consent.form.shares:
        raise BugError("there is nothing for a press to confirm")
    envelope = parse_envelope(consent.raw, counts=(1,), max_bytes=MAX_CONSENT_BYTES, max_payload=MAX_CONSENT_BYTES)
    signed = replace(envelope, raw=add_signature(envelope, button_key))
    return _consent(signed, consent.form, button_signed=True)
