"""Nonces: one request, one phone, 30 minutes, once; and what is pinned meanwhile."""

from hypothesis import given
from hypothesis import strategies as st

from agent.consent.nonces import MAX_CHOICES, MAX_PER_HOLDER, NONCE_LIFE_NS, Nonces
from agent.core.ids import Id, Kid
from tests.fakes.consent_house import an_id

ANNA, BEN = Kid("a" * 16), Kid("b" * 16)
ONE, TWO = an_id("one"), an_id("two")
S1, S2 = an_id("s1"), an_id("s2")


def test_a_nonce_belongs_to_one_phone_and_one_request() -> None:
    nonces = Nonces()
    nonce = nonces.issue(ANNA, ONE, 5)
    assert nonces.holds(nonce, ANNA, ONE, 5)
    for holder, request in ((BEN, ONE), (ANNA, TWO), (ANNA, None)):
        assert not nonces.holds(nonce, holder, request, 5)
    assert not nonces.holds(an_id("unknown"), ANNA, ONE, 5)


def test_a_nonce_lives_thirty_minutes() -> None:
    nonces = Nonces()
    nonce = nonces.issue(ANNA, ONE, 5)
    assert NONCE_LIFE_NS == 1800 * 10**9
    assert nonces.holds(nonce, ANNA, ONE, 5 + NONCE_LIFE_NS - 1)
    assert not nonces.holds(nonce, ANNA, ONE, 5 + NONCE_LIFE_NS)


def test_a_nonce_is_used_once() -> None:
    nonces = Nonces()
    nonce = nonces.issue(ANNA, ONE, 5)
    nonces.use(nonce)
    assert not nonces.holds(nonce, ANNA, ONE, 5)


def test_what_was_listed_is_pinned_while_the_nonce_lives() -> None:
    nonces = Nonces()
    nonce = nonces.issue(ANNA, ONE, 0)
    assert nonces.pinned(0) == set()
    assert nonces.list_under(ANNA, ONE, [S1], 0)
    assert nonces.list_under(ANNA, ONE, [S2], 0)
    assert nonces.pinned(NONCE_LIFE_NS - 1) == {S1, S2}
    assert nonces.pinned(NONCE_LIFE_NS) == set()
    nonces.use(nonce)
    assert nonces.pinned(0) == set()


def test_a_request_alone_pins_nothing() -> None:
    nonces = Nonces()
    assert not nonces.list_under(ANNA, ONE, [S1], 0)
    nonces.issue(BEN, ONE, 0)
    nonces.issue(ANNA, TWO, 0)
    nonces.issue(ANNA, None, 0)
    assert not nonces.list_under(ANNA, ONE, [S1], 0)
    nonces.issue(ANNA, ONE, 0)
    assert not nonces.list_under(ANNA, ONE, [S1], NONCE_LIFE_NS)
    assert nonces.pinned(0) == set()


def test_segments_are_listed_under_the_newest_nonce() -> None:
    nonces = Nonces()
    nonces.issue(ANNA, ONE, 0)
    newest = nonces.issue(ANNA, ONE, 10)
    nonces.list_under(ANNA, ONE, [S1], 20)
    assert nonces.pinned(NONCE_LIFE_NS + 5) == {S1}
    nonces.use(newest)
    assert nonces.pinned(20) == set()


def test_one_phone_can_not_push_out_anothers_nonce() -> None:
    assert MAX_PER_HOLDER == 1_024
    nonces = Nonces()
    bens = nonces.issue(BEN, ONE, 0)
    annas = [nonces.issue(ANNA, ONE, 0) for _ in range(3 * MAX_PER_HOLDER)]
    assert len(nonces) == MAX_PER_HOLDER + 1
    assert nonces.holds(bens, BEN, ONE, 0)
    assert [name for name in annas if nonces.holds(name, ANNA, ONE, 0)] == annas[-MAX_PER_HOLDER:]


def test_looking_pushes_out_no_choice() -> None:
    nonces = Nonces()
    chosen = nonces.issue(ANNA, ONE, 0)
    nonces.list_under(ANNA, ONE, [S1], 0)
    for _ in range(MAX_PER_HOLDER + 1):
        nonces.issue(ANNA, TWO, 0)
    assert nonces.holds(chosen, ANNA, ONE, 0)
    assert nonces.pinned(0) == {S1}
    assert len(nonces) == MAX_PER_HOLDER + 1


def test_of_many_choices_of_one_phone_the_newest_stay() -> None:
    assert MAX_CHOICES == 128
    nonces, made = Nonces(), []
    for holder in [BEN] + [ANNA] * (MAX_CHOICES + 2):
        made.append((holder, nonces.issue(holder, ONE, 0)))
        assert nonces.list_under(holder, ONE, [S1], 0)
    assert [nonces.holds(name, holder, ONE, 0) for holder, name in made] == [True, False, False] + [True] * 128


def test_dead_nonces_are_forgotten() -> None:
    nonces = Nonces()
    nonces.use(nonces.issue(ANNA, ONE, 0))
    nonces.issue(ANNA, ONE, 0)
    nonces.issue(BEN, ONE, NONCE_LIFE_NS)
    assert len(nonces) == 1


def test_an_unpaired_phone_has_no_nonces() -> None:
    nonces = Nonces()
    annas, bens = nonces.issue(ANNA, ONE, 0), nonces.issue(BEN, ONE, 0)
    nonces.end_holder(ANNA)
    assert not nonces.holds(annas, ANNA, ONE, 0)
    assert nonces.holds(bens, BEN, ONE, 0)


@given(
    st.lists(
        st.tuples(st.sampled_from([ANNA, BEN]), st.sampled_from([ONE, TWO, None]), st.integers(0, NONCE_LIFE_NS))
    )
)
def test_every_nonce_is_its_own(asks: list[tuple[Kid, Id | None, int]]) -> None:
    nonces, now = Nonces(), 0
    seen: set[str] = set()
    for holder, request, later in asks:
        now += later
        name = nonces.issue(holder, request, now)
        assert name not in seen
        seen.add(name)
        assert nonces.holds(name, holder, request, now)
        assert len(nonces) <= 2 * MAX_PER_HOLDER
