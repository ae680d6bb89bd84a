"""The four closed tables of verbs: what each peer may ask of the vault, and nothing else.

Each handler runs in the loop's thread and either answers at once, or keeps the request and answers later. What a
peer sends is foreign data: fields are read by the small readers at the end, which refuse with E_SCHEMA.
"""

from collections.abc import Callable, Mapping
from typing import Final

from agent.consent.consent_form import Decision
from agent.consent.phones import PhoneState
from agent.consent.sqlite_phones import PhoneRow
from agent.consent.states import State
from agent.core.errors import BugError, DoorbellError, RefusedError
from agent.core.ids import Kid, is_id, is_kid
from agent.core.strict_json import Json
from agent.services.reasons import bug_met
from agent.services.vault.answers import Answers
from agent.services.vault.arrivals_desk import ArrivalsDesk
from agent.services.vault.certificates import certify_page
from agent.services.vault.database import translated
from agent.services.vault.decisions_desk import Answer, DecisionsDesk
from agent.services.vault.directory_desk import DirectoryDesk
from agent.services.vault.house import House
from agent.services.vault.phones_desk import PhonesDesk
from agent.services.vault.recorder_desk import RecorderDesk
from agent.services.vault.store_desk import StoreDesk
from agent.services.vault.uplink_desk import UplinkDesk
from agent.services.vault.uploads_desk import UploadsDesk
from agent.services.wire import Message, Request

Handler = Callable[[Request], Message | None]
Table = Mapping[str, Handler]

MAX_PAGE: Final = 512  # section 10
MAX_CLIPS: Final = 100  # section 10
DEFAULT_CLIPS: Final = 20  # section 10
FAR_MS: Final = 10**16 - 1
MAX_FAULTS: Final = 16
PAGE_FAULTS: Final = frozenset({"page-port"})  # what a page that can't serve may say of itself
_LATER: Final = None


def run(table: Table, request: Request) -> None:
    """Answer one request of a peer from its table; in the loop's thread."""
    handler = table.get(request.verb, _unknown)
    try:
        with translated("the vault's database"):
            reply = handler(request)
    except DoorbellError as error:
        request.refuse(error)
        return
    except Exception as bug:  # noqa: BLE001 - the peer may be taken over, and the bug one that it has found
        request.refuse(bug_met(f"the verb {request.verb[:40]!r}", bug))
        return
    if reply is not _LATER:
        request.answer(reply)


def _unknown(_: Request) -> Message:
    raise RefusedError("verb", "there is no such verb")


def body(value: Json) -> Message:
    """Return an answer whose body is JSON."""
    return Message({"body": value})


class RecorderVerbs:
    """What the recorder may say."""

    def __init__(self, store: StoreDesk, recorder: RecorderDesk) -> None:
        self._store = store
        self._recorder = recorder

    def table(self) -> Table:
        """Return the closed table."""
        return {"hello": lambda _: Message(), "sealed": self._sealed, "status": self._status}

    def _sealed(self, request: Request) -> Message:
        self._store.sealed(request.message.args.get("id"))
        return Message()

    def _status(self, request: Request) -> Message:
        self._recorder.status(request.message.args)
        return Message()


class UplinkVerbs:
    """What uplink may say."""

    def __init__(self, uplink: UplinkDesk, arrivals: ArrivalsDesk, uploads: UploadsDesk) -> None:
        self._uplink = uplink
        self._arrivals = arrivals
        self._uploads = uploads

    def table(self) -> Table:
        """Return the closed table."""
        return {
            "hello": self._hello,
            "message": self._message,
            "broker": self._broker,
            "created": self._created,
            "progress": self._progress,
        }

    def _hello(self, _: Request) -> Message:
        self._uplink.arrived()
        return Message(self._uplink.subscription())

    def _message(self, request: Request) -> Message:
        self._arrivals.message(request.message.args.get("kind"), request.message.blob or b"")
        return Message()

    def _broker(self, request: Request) -> Message:
        args = request.message.args
        self._uplink.broker_said(args.get("state"), args.get("why"))
        return Message()

    def _created(self, request: Request) -> Message:
        args = request.message.args
        self._uploads.created(args.get("request"), args.get("segment"), args.get("location"))
        return Message()

    def _progress(self, request: Request) -> Message:
        args = request.message.args
        self._uploads.progress(args.get("request"), args.get("segment"), args.get("sent"))
        return Message()


class ConsoleVerbs:
    """What the command line on the device may ask: whoever has a shell here is the owner."""

    def __init__(
        self, answers: Answers, phones: PhonesDesk, decisions: DecisionsDesk, recorder: RecorderDesk
    ) -> None:
        self._answers = answers
        self._phones = phones
        self._decisions = decisions
        self._recorder = recorder

    def table(self) -> Table:
        """Return the closed table."""
        return {
            "status": self._status,
            "pair": lambda _: Message(self._phones.open_window()),
            "phones": lambda _: body(self._answers.phones()),
            "admit": self._admit,
            "unpair": self._unpair,
            "requests": lambda _: body(self._answers.requests()),
            "approve": self._approve,
            "decline": self._decline,
            "stop": self._stop,
            "log": self._log,
            "consistency": self._consistency,
        }

    def _status(self, _: Request) -> Message:
        return Message({"body": self._answers.status(), "motion": self._recorder.motion})

    def _admit(self, request: Request) -> Message:
        self._phones.admit(read_kid(request.message.args, "phone"))
        return Message()

    def _unpair(self, request: Request) -> Message:
        self._phones.unpair(read_kid(request.message.args, "phone"))
        return Message()

    def _approve(self, request: Request) -> None:
        asked, answer = request.message.args.get("id"), answer_with_state(request)
        self._decisions.decide_at_console(asked, Decision.SHARE, answer)

    def _decline(self, request: Request) -> None:
        asked, answer = request.message.args.get("id"), answer_with_state(request)
        self._decisions.decide_at_console(asked, Decision.DECLINE, answer)

    def _stop(self, request: Request) -> Message:
        return body({"state": self._decisions.stop(request.message.args.get("id")).value})

    def _log(self, request: Request) -> Message:
        return answer_log(self._answers, request)

    def _consistency(self, request: Request) -> Message:
        size = read_integer(request.message.args, "size", low=1, high=FAR_MS)
        return body(self._answers.consistency(size))


class PageVerbs:
    """What the owner's page may ask. All but the first five carry the session of a phone."""

    def __init__(
        self,
        house: House,
        answers: Answers,
        phones: PhonesDesk,
        decisions: DecisionsDesk,
        store: StoreDesk,
        directory: DirectoryDesk,
    ) -> None:
        self._house = house
        self._answers = answers
        self._phones = phones
        self._decisions = decisions
        self._store = store
        self._directory = directory

    def table(self) -> Table:
        """Return the closed table."""
        with_phone: Mapping[str, Callable[[Request, PhoneRow], Message | None]] = {
            "status": lambda _, __: body(self._answers.status()),
            "requests": lambda _, __: body(self._answers.requests()),
            "request": lambda request, phone: body(self._answers.request(request.message.args.get("id"), phone)),
            "segments": self._segments,
            "decision": self._decision,
            "stop": self._stop,
            "segment": self._segment,
            "clips": self._clips,
            "alerts": lambda _, __: body(self._answers.alerts()),
            "agencies": lambda _, __: body(self._answers.agencies()),
            "log": self._log,
            "phones": lambda _, __: body(self._answers.phones()),
            "stanzas": self._stanzas,
            "hand_on": self._hand_on,
            "action": self._action,
            "nonce": self._nonce,
            "subscribe": self._subscribe,
        }
        return {
            "certificate": self._certificate,
            "fault": self._fault,
            "pair": lambda request: body(self._phones.pair(request.message.args)),
            "challenge": lambda request: body(self._phones.challenge(request.message.args.get("phone"))),
            "session": self._session,
            **{name: self._as(handler) for name, handler in with_phone.items()},
        }

    def _as(self, handler: Callable[[Request, PhoneRow], Message | None]) -> Handler:
        return lambda request: handler(request, self._phones.who(request.message.args.get("session")))

    def _certificate(self, request: Request) -> Message:
        page, keys = self._house.config.page, self._house.keys
        utc_ms = max(self._house.now().utc_ms, self._house.keeper.floor_s * 1_000)
        chain, spki = certify_page(request.message.blob or b"", keys.ca, keys.device_kid, page.all_names, utc_ms)
        self._phones.page_certified(spki)
        return Message({"chain": chain})

    def _fault(self, request: Request) -> Message:
        self._house.set_faults("page", read_faults(request.message.args))
        return Message()

    def _session(self, request: Request) -> Message:
        args = request.message.args
        return Message(self._phones.session(args.get("phone"), args.get("sig")))

    def _segments(self, request: Request, phone: PhoneRow) -> Message:
        args = request.message.args
        after = read_integer(args, "after", default=-1, low=-1, high=FAR_MS)
        limit = read_integer(args, "limit", default=MAX_PAGE, low=1, high=MAX_PAGE)
        return body(self._answers.segments(args.get("id"), phone, after, limit))

    def _decision(self, request: Request, _: PhoneRow) -> None:
        asked, raw = request.message.args.get("id"), request.message.blob or b""
        self._decisions.decide(asked, raw, answer_with_state(request))

    def _stop(self, request: Request, _: PhoneRow) -> Message:
        return body({"state": self._decisions.stop(request.message.args.get("id")).value})

    def _segment(self, request: Request, phone: PhoneRow) -> Message:
        _admitted(phone)
        found = request.message.args.get("id")
        if not is_id(found) or not self._store.holds(found):
            raise RefusedError("NOT_FOUND", "there is no such segment")
        return Message(fds=[self._store.folder.open_readonly(found)])

    def _clips(self, request: Request, phone: PhoneRow) -> Message:
        args = request.message.args
        before_ms = read_integer(args, "before", default=FAR_MS, high=FAR_MS)
        limit = read_integer(args, "limit", default=DEFAULT_CLIPS, low=1, high=MAX_CLIPS)
        return body(self._answers.clips(phone, before_ms, limit))

    def _log(self, request: Request, _: PhoneRow) -> Message:
        return answer_log(self._answers, request)

    def _stanzas(self, request: Request, phone: PhoneRow) -> Message:
        if phone.state is not PhoneState.ADMITTED:
            return body([])
        args = request.message.args
        after = read_integer(args, "after", default=-1, low=-1, high=FAR_MS)
        limit = read_integer(args, "limit", default=MAX_PAGE, low=1, high=MAX_PAGE)
        return body(self._answers.stanzas(phone.open_kid, after, limit))

    def _hand_on(self, request: Request, phone: PhoneRow) -> Message:
        _admitted(phone)
        args = request.message.args
        return body(self._phones.hand_on(args.get("phone"), args.get("stanzas")))

    def _action(self, request: Request, _: PhoneRow) -> Message:
        self._phones.act(request.message.blob or b"")
        return body({})

    def _nonce(self, _: Request, phone: PhoneRow) -> Message:
        return body({"nonce": self._house.nonces.issue(phone.kid, None, self._house.now().boot_ns)})

    def _subscribe(self, request: Request, phone: PhoneRow) -> Message:
        self._house.loop.post(self._decisions.tell_waiting)
        del request
        return Message({"phone": phone.kid})


def _admitted(phone: PhoneRow) -> None:
    if phone.state is not PhoneState.ADMITTED:
        raise RefusedError("C_APPROVER", "this phone waits to be admitted")


def answer_log(answers: Answers, request: Request) -> Message:
    """Answer with a part of the log, for whichever peer asks."""
    args = request.message.args
    after = None if args.get("after") is None else read_integer(args, "after", high=FAR_MS)
    return body(answers.log(after, read_integer(args, "limit", default=MAX_PAGE, low=1, high=MAX_PAGE)))


def answer_with_state(request: Request) -> Answer:
    """Answer a kept request with the state that a decision led to, or its error."""

    def answer(result: State | DoorbellError | BugError) -> None:
        if isinstance(result, State):
            request.answer(body({"state": result.value}))
        else:
            request.refuse(result)

    return answer


def read_integer(
    args: Mapping[str, Json], name: str, *, default: int | None = None, low: int = 0, high: int
) -> int:
    """Read a whole number of a peer's arguments.

    Raises:
        RefusedError: E_SCHEMA.
    """
    value = args.get(name, default)
    if type(value) is not int or not low <= value <= high:
        raise RefusedError("E_SCHEMA", f"{name}: a whole number from {low} to {high}")
    return value


def read_kid(args: Mapping[str, Json], name: str) -> Kid:
    """Read a kid of a peer's arguments.

    Raises:
        RefusedError: E_SCHEMA.
    """
    value = args.get(name)
    if not is_kid(value):
        raise RefusedError("E_SCHEMA", f"{name}: 16 lower-case hex digits")
    return value


def read_faults(args: Mapping[str, Json]) -> frozenset[str]:
    """Read what the page says is wrong with it, from the closed set.

    Raises:
        RefusedError: E_SCHEMA.
    """
    codes = args.get("codes")
    if not isinstance(codes, list) or len(codes) > MAX_FAULTS:
        raise RefusedError("E_SCHEMA", "codes: a list of faults")
    said = frozenset(one for one in codes if isinstance(one, str))
    if len(said) != len(codes) or not said <= PAGE_FAULTS:
        raise RefusedError("E_SCHEMA", "codes: each a fault that a page can have, named once")
    return said
