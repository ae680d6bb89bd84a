"""The fake vault behind a real unix socket, speaking the table of verbs of the page's socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from agent.core.errors import RefusedError
from agent.services.unix_server import Server
from agent.services.wire import Link, Message, Request, run_handler

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from agent.core.strict_json import Json
    from agent.page.port import Event
    from tests.fakes.page_vault import PageVault


def body(value: object) -> Message:
    return Message({"body": cast("Json", value)})


class VaultSocket:
    """Serves one `PageVault` at `path` until it is closed; may be opened again there."""

    def __init__(self, path: Path, vault: PageVault) -> None:
        self.vault = vault
        self.links: list[Link] = []
        vault.on_event(self._tell)
        self._server = Server(path, self._connected)

    def close(self) -> None:
        for link in self.links:
            link.close()
        self._server.close()

    def _connected(self, sock: socket.socket) -> None:
        link = Link(sock, self._asked, name="fake-vault")
        self.links.append(link)  # before it can hand anything on
        link.start()

    def _asked(self, request: Request) -> None:
        run_handler(request, self._answer)

    def _tell(self, event: Event) -> None:
        for link in self.links:
            if not link.closed:
                link.tell("event", {"name": event.name, "data": event.data, "phone": event.phone})

    def _answer(self, verb: str, message: Message) -> Message:
        args: dict[str, Any] = dict(message.args)
        blob = message.blob or b""
        match verb:
            case "certificate":
                return Message({"chain": self.vault.certificate(blob)})
            case "pair":
                return body(self.vault.pair(args))
            case "challenge":
                return body(self.vault.challenge(args["phone"]))
            case "fault":
                self.vault.page_faults.append(args["codes"])
                return Message()
            case "session":
                return Message({"session": self.vault.session(args["phone"], args["sig"])})
        session = str(args.pop("session"))
        return self._with_session(verb, session, args, blob)

    def _with_session(self, verb: str, session: str, args: dict[str, Any], blob: bytes) -> Message:
        vault = self.vault
        match verb:
            case "request" | "stop":
                return body(getattr(vault, verb)(session, args["id"]))
            case "segments":
                return body(vault.segments(session, args["id"], after=args.get("after"), limit=args["limit"]))
            case "decision":
                return body(vault.decision(session, args["id"], blob))
            case "action":
                return body(vault.action(session, blob))
            case "segment":
                return Message(fds=[vault.segment(session, args["id"])])
            case "clips":
                return body(vault.clips(session, before_ms=args.get("before"), limit=args["limit"]))
            case "log" | "stanzas":
                return body(getattr(vault, verb)(session, after=args.get("after"), limit=args["limit"]))
            case "hand_on":
                return body(vault.hand_on(session, args["phone"], args["stanzas"]))
            case "subscribe":
                return Message({"phone": vault.subscribe(session)})
            case "status" | "requests" | "alerts" | "agencies" | "phones" | "nonce":
                return body(getattr(vault, verb)(session))
        raise RefusedError("verb", f"there is no verb {verb}")
