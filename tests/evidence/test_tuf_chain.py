"""The chain from a root: what it says of names that a bundle chose."""

from datetime import UTC, datetime

import pytest

from agent.core.errors import RefusedError
from agent.evidence.tuf_chain import DirectoryChain
from demo import directory
from demo.agency import Agency

NOW_S = 1_800_000_000
WILD = "agencies\n\x1b[2J\u202e"


def test_a_role_with_a_wild_name_is_told_on_one_plain_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "AGENCIES_ROLE", WILD)
    monkeypatch.setattr(directory, "ROLES", ("root", "targets", "snapshot", "timestamp", WILD))
    made = directory.Directory(
        now_s=NOW_S,
        dispatch=[],
        receipt=[],
        endpoints={},
        agencies=[Agency().directory_file()],
        consistent_snapshot=False,
    )
    at = datetime.fromtimestamp(NOW_S, UTC)
    path = "agencies/us-ca-examplepd.json"
    assert DirectoryChain(made.root_json, made.files, at).target(path)
    files = {name: body for name, body in made.files.items() if WILD not in name}
    with pytest.raises(RefusedError, match="is missing") as refused:
        DirectoryChain(made.root_json, files, at).target(path)
    assert str(refused.value).isprintable()
