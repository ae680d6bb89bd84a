"""Every case of notices.json cancels that request, or shows that alert, exactly where it holds."""

from typing import Any

import pytest

from agent.consent.notices import check_alert, check_cancel
from agent.core.errors import RefusedError
from tests.consent.request_vectors import document, raw_of, view_of

FILE = document("notices.json")
STATE = FILE["state"]
VIEW = view_of(STATE["directory"])
CASES = FILE["cases"]


def holds(case: dict[str, Any]) -> bool:
    try:
        if case["kind"] == "cancel":
            request = STATE["request"]
            got = check_cancel(raw_of(case), view=VIEW)
            return (got.id, got.agency) == (request["id"], request["agency"])
        check_alert(
            raw_of(case),
            view=VIEW,
            now_s=STATE["now"],
            trusted=STATE["trusted"],
            camera=tuple(STATE["camera"]),
            seen=(),
            muted=False,
            shown_24h=0,
        )
    except RefusedError:
        return False
    return True


def test_there_are_46_cases_and_none_is_left_out() -> None:
    assert len(CASES) == 46


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_notice_holds_exactly_where_it_should(case: dict[str, Any]) -> None:
    assert holds(case) is case["holds"]
