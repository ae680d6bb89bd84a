"""Writes docs/design/states.md from the table: `python -m tests.consent.states_document`."""

from pathlib import Path
from typing import Final

from agent.consent.states import FINAL, TABLE, State, diagram

FILE: Final = Path(__file__).parents[2] / "docs" / "design" / "states.md"

_MEANS: Final = {
    State.UNSEEN: "nothing is stored; never written down",
    State.QUIET: "well signed, but not for this camera, or muted; kept until `exp` in case that changes",
    State.PENDING: "waits for the owner",
    State.CONFIRMING: "the phone said yes; waits for a press of the indoor button",
    State.GRACE: "said yes; nothing has left; any phone or the button can stop it",
    State.DECLINED: "said no; the same approver may change its mind until `exp`",
    State.UPLOADING: "sealed segments are on their way; a stop withdraws them",
    State.HANDED_OVER: "everything is there, the submission's first byte may be; too late to stop",
    State.DELIVERED: "the platform's receipt verified",
    State.UNCONFIRMED: "handed over, but no receipt in 72 h",
    State.WITHDRAWN: "stopped during the upload",
    State.FAILED: "72 h were not enough to upload",
    State.CANCELLED: "called off: by the agency, the platform, or a re-check",
    State.EXPIRED: "its time passed without a yes",
}

_HEAD: Final = """\
# States of a request

Generated from `agent/consent/states.py` by `python -m tests.consent.states_document`; a test fails when the two
differ. Protocol section 12 is the source. A pair that is not drawn raises and changes nothing. A transition and
its log entry are one durable transaction; `restart` is what happens to a request when the vault starts again.

"""


def document() -> str:
    """Return docs/design/states.md."""
    lines = ["| state | meaning | final |", "|---|---|---|"]
    lines += [f"| {state} | {_MEANS[state]} | {'yes' if state in FINAL else ''} |" for state in State]
    rows = ["| from | event | to |", "|---|---|---|"]
    rows += [
        f"| {'(nothing)' if source is State.UNSEEN else source} | {event} | {target} |"
        for (source, event), target in TABLE.items()
    ]
    parts = [_HEAD, "```mermaid\n", diagram(), "```\n\n", "\n".join(lines), "\n\n", "\n".join(rows), "\n"]
    return "".join(parts)


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
