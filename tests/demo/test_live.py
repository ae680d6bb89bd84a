"""`python -m demo --live`: the owner's part is left to a person, here one who follows the printed link."""

import re
import time
from pathlib import Path

import pytest

from demo.page_client import PairingLink
from demo.phone import Phone
from tests.demo.running import processes_of, start

pytestmark = [pytest.mark.slow, pytest.mark.broker]


@pytest.mark.parametrize("says_yes", [True, False], ids=["yes", "no"])
def test_a_person_with_the_link_decides(short: Path, *, says_yes: bool) -> None:
    child = start(short, "--live")
    assert child.stdout is not None
    said: list[str] = []
    phone = None
    for line in child.stdout:
        said.append(line)
        found = re.search(r"https://\S+/pair#\S+", line)
        if found:
            phone = Phone(PairingLink.parse(found[0]), name="A person")
            assert phone.pair() == "admitted"
            phone.open_session()
        if "It is your turn" in line:
            break
    assert phone is not None, "".join(said)
    deadline = time.monotonic() + 30
    while not (rows := phone.requests()) and time.monotonic() < deadline:
        time.sleep(0.2)
    request = phone.request(rows[0]["id"])
    if says_yes:
        phone.share(request, [one for one in phone.segments(request.id) if one["stanza"] is not None])
    else:
        phone.decline(request)
    out, errors = child.communicate(timeout=200)
    assert (child.returncode, errors) == (0, "")
    assert ("plays:" in out) is says_yes
    assert (short / "out").exists() is says_yes
    assert processes_of(short) == []
