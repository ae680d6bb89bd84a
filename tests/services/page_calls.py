"""Calls of the page to the real vault, as its socket would bring them."""

from typing import Any

from agent.core.encoding import b64, unb64
from agent.services.vault.verbs import PageVerbs, run
from agent.services.wire import Message
from tests.fakes.vault_rig import SPKI, FakePhone, Rig


class Asked:
    """A request of a peer that keeps its answer."""

    def __init__(self, verb: str, args: dict[str, Any], blob: bytes | None = None) -> None:
        self.verb = verb
        self.message = Message(args, blob)
        self.result: Any = None

    def answer(self, message: Message | None = None) -> None:
        self.result = message or Message()

    def refuse(self, error: Exception) -> None:
        self.result = error


def ask_page(rig: Rig, verb: str, args: dict[str, Any], blob: bytes | None = None) -> Any:
    vault = rig.vault
    verbs = PageVerbs(vault.house, vault.answers, vault.phones, vault.decisions, vault.store, vault.directory)
    asked = Asked(verb, args, blob)
    run(verbs.table(), asked)  # type: ignore[arg-type]  # it has a request's methods
    rig.settle()
    return asked.result


def session_of(rig: Rig, phone: FakePhone) -> str:
    challenge = unb64(rig.vault.phones.challenge(phone.kid)["challenge"])
    sig = phone.sign_key.sign(b"doorbell/session/v1\0" + SPKI + challenge)
    return str(rig.vault.phones.session(phone.kid, b64(sig))["session"])
