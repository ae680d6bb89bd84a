"""What an admitted phone may do besides deciding: signed actions (protocol sections 10 and 11).

Checked like a consent, E_SIZE to C_NONCE, in this order:

    1 size and JSON of the envelope                    E_SIZE, E_JSON
    2 form of the envelope and of the payload          E_SCHEMA
    3 the phone is admitted                            C_APPROVER
    4 its key signed                                   C_SIG
    5 what it acts on is there and can be acted on     C_STATE
    6 the nonce is this phone's, for an action, alive  C_NONCE

There is no verb that approves.
"""

from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass
from typing import Final, TypeAlias, final

from agent.consent.consent_form import MAX_NONCE
from agent.consent.forms import id_form, integer, kid_form, short, version_1
from agent.consent.nonces import Nonces
from agent.consent.phones import Phone, PhoneState
from agent.consent.settings import Change, read_change
from agent.core.envelope import MAX_ENVELOPE_BYTES, check_signature, parse_envelope, payload_type
from agent.core.errors import BugError, RefusedError
from agent.core.ids import Id, Kid
from agent.core.strict_json import Json, closed, parse

_KEYS: Final = frozenset({"v", "id", "verb", "args", "phone", "nonce", "at"})
_PHONE_KEYS: Final = frozenset({"phone"})
_CLIP_KEYS: Final = frozenset({"clip"})
_PROOF: Final = object()


@dataclass(frozen=True, slots=True)
class Admit:
    """Let a waiting phone in."""

    phone: Kid


@dataclass(frozen=True, slots=True)
class Unpair:
    """Put a phone out for good."""

    phone: Kid


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """Change settings.

    Attributes:
        change: for `settings.changed`; may be empty when only the clock is confirmed.
        clock_at_s: the phone's UTC, where its owner confirms a SUSPECT clock (section 16). It is no setting and
            never stored; the vault trusts its own clock again only if the two agree.
    """

    change: Change
    clock_at_s: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a clip before its time."""

    clip: Id


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep a clip from being evicted."""

    clip: Id


Verb: TypeAlias = Admit | Unpair | ChangeSettings | Delete | Keep


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFacts:
    """What the vault knows at the moment of an action; `has_clip` says whether a clip is stored."""

    phones: Mapping[Kid, Phone]
    nonces: Nonces
    now_ns: int
    has_clip: Callable[[Id], bool]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action whose signature was verified; only `check_action` makes one."""

    id: Id
    verb: Verb
    phone: Kid
    nonce: str
    proof: InitVar[object]

    def __post_init__(self, proof: object) -> None:
        """Refuse whoever did not verify it."""
        if proof is not _PROOF:
            raise BugError("an Action comes only from check_action")


def check_action(raw: bytes, facts: ActionFacts) -> Action:
    """Check an action; the caller spends the nonce in the transaction that carries it out.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SCHEMA, C_APPROVER, C_SIG, C_STATE, C_NONCE.
    """
    try:
        envelope = parse_envelope(raw, counts=(1,), max_bytes=MAX_ENVELOPE_BYTES)
    except RefusedError as exc:
        raise RefusedError("E_SCHEMA" if exc.code == "E_ENVELOPE" else exc.code, str(exc)) from exc
    if envelope.payload_type != payload_type("action"):
        raise RefusedError("E_SCHEMA", "not an action")
    item = closed(parse(envelope.payload, max_bytes=MAX_ENVELOPE_BYTES), _KEYS, "E_SCHEMA", "the action")
    version_1(item["v"])
    action_id, nonce = id_form(item["id"], "id"), short(item["nonce"], "nonce", limit=MAX_NONCE)
    integer(item["at"], "at")
    kid = kid_form(item["phone"], "phone")
    verb = _verb(item["verb"], item["args"])
    phone = facts.phones.get(kid)
    if phone is None or not phone.is_admitted:
        raise RefusedError("C_APPROVER", "only an admitted phone acts")
    try:
        check_signature(envelope, envelope.signatures[0], phone.sign_pub)
    except RefusedError as exc:
        raise RefusedError("C_SIG", str(exc)) from exc
    _check_object(verb, facts)
    if not facts.nonces.holds(nonce, kid, None, facts.now_ns):
        raise RefusedError("C_NONCE", "the nonce is unknown, used, over, or somebody else's")
    return Action(id=action_id, verb=verb, phone=kid, nonce=nonce, proof=_PROOF)


def _phone(args: Json) -> Kid:
    return kid_form(closed(args, _PHONE_KEYS, "E_SCHEMA", "args")["phone"], "args.phone")


def _clip(args: Json) -> Id:
    return id_form(closed(args, _CLIP_KEYS, "E_SCHEMA", "args")["clip"], "args.clip")


def _settings(args: Json) -> ChangeSettings:
    if not isinstance(args, dict) or "clock_at" not in args:
        return ChangeSettings(read_change(args))
    rest = {name: value for name, value in args.items() if name != "clock_at"}
    return ChangeSettings(read_change(rest) if rest else {}, integer(args["clock_at"], "clock_at"))


_VERBS: Final[Mapping[str, Callable[[Json], Verb]]] = {
    "admit": lambda args: Admit(_phone(args)),
    "unpair": lambda args: Unpair(_phone(args)),
    "settings": _settings,
    "delete": lambda args: Delete(_clip(args)),
    "keep": lambda args: Keep(_clip(args)),
}


def _verb(name: Json, args: Json) -> Verb:
    read = _VERBS.get(name) if isinstance(name, str) else None
    if read is None:
        raise RefusedError("E_SCHEMA", "there is no such verb")
    return read(args)


def _check_object(verb: Verb, facts: ActionFacts) -> None:
    if isinstance(verb, Admit | Unpair):
        other = facts.phones.get(verb.phone)
        if other is None or not other.is_paired:
            raise RefusedError("C_STATE", "no phone of this house")
        if isinstance(verb, Admit) and other.state is not PhoneState.WAITING:
            raise RefusedError("C_STATE", "this phone is admitted already")
    elif isinstance(verb, Delete | Keep) and not facts.has_clip(verb.clip):
        raise RefusedError("C_STATE", "there is no such clip")
