"""Sessions: a challenge once, a signature over this page's key, a token that is only kept as a hash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent.phones import Phone
from agent.consent.sessions import (
    ABSOLUTE_NS,
    CHALLENGE_LIFE_NS,
    IDLE_NS,
    MAX_CHALLENGES,
    MAX_SESSIONS,
    Sessions,
    session_message,
)
from agent.core.errors import RefusedError
from tests.fakes.consent_house import ANNA, BEN, GUEST, LOST, TestPhone

SPKI = b"\3" * 32


def sign_in(sessions: Sessions, phone: TestPhone = ANNA, now_ns: int = 0) -> str:
    challenge = sessions.challenge(phone.known, now_ns)
    return sessions.open(phone.known, answer(phone, challenge), SPKI, now_ns)


def answer(phone: TestPhone, challenge: bytes, spki: bytes = SPKI) -> bytes:
    return phone.sign_key.sign(session_message(spki, challenge))


def code_of(sessions: Sessions, phone: Phone | None, sig: bytes, now_ns: int = 0) -> str:
    try:
        sessions.open(phone, sig, SPKI, now_ns)
    except RefusedError as refused:
        return refused.code
    return "OK"


def test_a_paired_phone_signs_in() -> None:
    sessions = Sessions()
    assert sessions.phone_of(sign_in(sessions), 5) == ANNA.kid
    assert sessions.phone_of(sign_in(sessions, GUEST), 5) == GUEST.kid


@pytest.mark.parametrize("phone", [None, LOST.known])
def test_nobody_else_gets_a_challenge_or_a_session(phone: Phone | None) -> None:
    sessions = Sessions()
    with pytest.raises(RefusedError) as refused:
        sessions.challenge(phone, 0)
    assert refused.value.code == "C_APPROVER"
    assert code_of(sessions, phone, bytes(64)) == "C_APPROVER"


def test_a_challenge_is_32_fresh_bytes() -> None:
    sessions = Sessions()
    first, second = sessions.challenge(ANNA.known, 0), sessions.challenge(ANNA.known, 0)
    assert len(first) == 32
    assert first != second


def test_a_challenge_is_good_once() -> None:
    sessions = Sessions()
    sig = answer(ANNA, sessions.challenge(ANNA.known, 0))
    assert code_of(sessions, ANNA.known, sig) == "OK"
    assert code_of(sessions, ANNA.known, sig) == "C_SIG"


def test_a_challenge_lives_sixty_seconds() -> None:
    assert CHALLENGE_LIFE_NS == 60 * 10**9
    for later, wanted in ((CHALLENGE_LIFE_NS - 1, "OK"), (CHALLENGE_LIFE_NS, "C_SIG")):
        sessions = Sessions()
        sig = answer(ANNA, sessions.challenge(ANNA.known, 0))
        assert code_of(sessions, ANNA.known, sig, later) == wanted


def test_a_challenge_belongs_to_one_phone() -> None:
    sessions = Sessions()
    challenge = sessions.challenge(ANNA.known, 0)
    assert code_of(sessions, BEN.known, answer(BEN, challenge)) == "C_SIG"
    assert code_of(sessions, ANNA.known, answer(BEN, challenge)) == "C_SIG"
    assert code_of(sessions, ANNA.known, answer(ANNA, challenge)) == "OK"


def test_a_proof_for_another_page_can_not_be_passed_on() -> None:
    sessions = Sessions()
    challenge = sessions.challenge(ANNA.known, 0)
    assert code_of(sessions, ANNA.known, answer(ANNA, challenge, spki=b"\4" * 32)) == "C_SIG"


@pytest.mark.parametrize("sig", [b"", bytes(63), bytes(64), bytes(65)])
def test_a_signature_of_any_length_is_only_refused(sig: bytes) -> None:
    sessions = Sessions()
    sessions.challenge(ANNA.known, 0)
    assert code_of(sessions, ANNA.known, sig) == "C_SIG"


def test_two_challenges_may_be_open_at_once() -> None:
    sessions = Sessions()
    first, second = sessions.challenge(ANNA.known, 0), sessions.challenge(ANNA.known, 0)
    assert code_of(sessions, ANNA.known, answer(ANNA, first)) == "OK"
    assert code_of(sessions, ANNA.known, answer(ANNA, second)) == "OK"


def test_a_stranger_who_asks_in_a_phones_name_can_not_push_its_challenge_out() -> None:
    sessions = Sessions()
    own = sessions.challenge(ANNA.known, 0)
    flood = {sessions.challenge(ANNA.known, 1) for _ in range(100)}
    assert len(flood) == MAX_CHALLENGES - 1
    assert code_of(sessions, ANNA.known, answer(ANNA, own), 2) == "OK"
    late = sessions.challenge(ANNA.known, 3)
    assert code_of(sessions, ANNA.known, answer(ANNA, late), 4) == "OK"
    assert (
        code_of(
            sessions,
            ANNA.known,
            answer(ANNA, sessions.challenge(ANNA.known, CHALLENGE_LIFE_NS + 2)),
            CHALLENGE_LIFE_NS + 2,
        )
        == "OK"
    )


def test_a_session_ends_when_it_is_not_used() -> None:
    sessions = Sessions()
    token = sign_in(sessions)
    assert sessions.phone_of(token, IDLE_NS - 1) == ANNA.kid
    assert sessions.phone_of(token, 2 * IDLE_NS - 2) == ANNA.kid
    assert sessions.phone_of(token, 3 * IDLE_NS - 2) is None
    assert sessions.phone_of(token, 0) is None


def test_a_session_ends_however_much_it_is_used() -> None:
    sessions = Sessions()
    token, now = sign_in(sessions), 0
    while now < ABSOLUTE_NS:
        assert sessions.phone_of(token, now) == ANNA.kid
        now += IDLE_NS - 1
    assert sessions.phone_of(token, ABSOLUTE_NS) is None


def test_only_the_hash_of_a_token_is_kept() -> None:
    sessions = Sessions(fresh=lambda count: b"\7" * count)
    token = sign_in(sessions)
    assert (b"\7" * 32) not in vars(sessions)["_sessions"]
    assert sessions.phone_of(token, 1) == ANNA.kid


@given(st.text(max_size=60))
def test_any_other_token_is_nobodys(token: str) -> None:
    sessions = Sessions()
    sign_in(sessions)
    assert sessions.phone_of(token, 1) is None


def test_sessions_of_a_phone_are_bounded_and_the_one_used_longest_ago_goes() -> None:
    sessions = Sessions()
    bens = sign_in(sessions, BEN)
    tokens = [sign_in(sessions, now_ns=n) for n in range(MAX_SESSIONS)]
    assert sessions.phone_of(tokens[0], 20) == ANNA.kid
    newest = sign_in(sessions, now_ns=21)
    alive = [sessions.phone_of(token, 22) is not None for token in (*tokens, newest)]
    assert alive == [True, False, *[True] * (MAX_SESSIONS - 2), True]
    assert sessions.phone_of(bens, 22) == BEN.kid


def test_dead_sessions_are_forgotten_when_one_begins() -> None:
    sessions = Sessions()
    sign_in(sessions, BEN)
    sign_in(sessions, now_ns=IDLE_NS)
    assert len(vars(sessions)["_sessions"]) == 1


def test_an_unpaired_phone_has_no_session_and_no_challenge() -> None:
    sessions = Sessions()
    token, bens = sign_in(sessions), sign_in(sessions, BEN)
    sig = answer(ANNA, sessions.challenge(ANNA.known, 0))
    sessions.end_phone(ANNA.kid)
    assert sessions.phone_of(token, 1) is None
    assert code_of(sessions, ANNA.known, sig) == "C_SIG"
    assert sessions.phone_of(bens, 1) == BEN.kid
    sessions.end_phone(ANNA.kid)


def test_the_bounds_of_sessions() -> None:
    assert (MAX_CHALLENGES, MAX_SESSIONS) == (8, 8)
    assert (IDLE_NS, ABSOLUTE_NS) == (1_800_000_000_000, 43_200_000_000_000)


def test_a_token_is_32_bytes_that_were_drawn_afresh() -> None:
    sizes: list[int] = []

    def fresh(count: int) -> bytes:
        sizes.append(count)
        return bytes([len(sizes)]) * count

    sign_in(Sessions(fresh))
    assert sizes == [32, 32]


def test_a_session_that_began_late_lives_as_long_as_any() -> None:
    sessions, late = Sessions(), 100 * ABSOLUTE_NS
    token = sign_in(sessions, now_ns=late)
    assert sessions.phone_of(token, late + IDLE_NS - 1) == ANNA.kid


def test_challenges_make_room_in_the_moment_in_which_they_end() -> None:
    sessions = Sessions()
    old = {sessions.challenge(ANNA.known, 0) for _ in range(MAX_CHALLENGES)}
    assert sessions.challenge(ANNA.known, CHALLENGE_LIFE_NS - 1) in old
    assert sessions.challenge(ANNA.known, CHALLENGE_LIFE_NS) not in old
