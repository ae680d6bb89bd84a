"""Why something did not work, as it goes over a socket: a peer's words made plain, our bugs for the journal."""

import logging
from typing import Final

from agent.core.errors import BugError
from agent.core.strict_json import Json

log = logging.getLogger(__name__)

MAX_WHY: Final = 500  # characters of a reason


def shown(said: Json) -> str:
    """Return what a peer says as a text that may be logged: not long, and nothing that moves a cursor."""
    return "".join(one if one.isprintable() else "?" for one in str(said)[:MAX_WHY])


def bug_met(where: str, bug: Exception) -> BugError:
    """Log what nobody expected, with its trace, and return what is said of it to who asked.

    For the few places where a peer's words are taken. Whatever mistake of ours they meet, who asked is answered
    and this process lives: a message that comes again with each start must not keep it down.
    """
    log.error("%s met a bug of this program; please report it", where, exc_info=bug)
    return BugError("the doorbell has made a mistake; its journal says which")
