"""The agency's side of the owner's tests: it asks, and opens what it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.core import ids, seal
from agent.core.encoding import unb64
from tests.fakes.page_world import request_payload

if TYPE_CHECKING:
    from tests.fakes.page_vault_state import Pending
    from tests.page.serving import Served


def ask(served: Served, **changes: Any) -> Pending:
    return served.vault.receive(request_payload(served.vault.agency, **changes))


def opened_wraps(served: Served, consent: dict[str, Any]) -> list[bytes]:
    """What the agency gets: each wrap opened with its key, bound to request and segment."""
    return [
        seal.open_cek(
            served.vault.agency.enc,
            unb64(segment["wrap"]),
            seal.grant_info(ids.Sha256(consent["request"]["sha256"]), ids.Sha256(segment["sha256"])),
        )
        for segment in consent["segments"]
    ]
