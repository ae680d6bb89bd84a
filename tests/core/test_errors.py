"""One family of errors for what comes from outside, and our own bugs apart from it."""

from agent.core.errors import BugError, ConfigError, DoorbellError, RefusedError, TroubleError


def test_a_bug_of_ours_is_not_among_what_comes_from_outside() -> None:
    assert not issubclass(BugError, DoorbellError)
    assert all(issubclass(one, DoorbellError) for one in (RefusedError, TroubleError, ConfigError))


def test_errors_carry_their_code() -> None:
    assert TroubleError("storage-full", "make room").code == "storage-full"
    assert str(RefusedError("E_SIG")) == "E_SIG"
