"""The ring against a slow oracle: whole GOPs, bounded by bytes and count, nothing changed on the way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.buffer.ring import CheckedRing, Ring
from agent.core.errors import BugError

Entry = tuple[bytes, int, bool]


PUSHES = st.lists(
    st.tuples(st.integers(0, 70), st.integers(-1, 5), st.sampled_from([True, False, False, False])), max_size=120
)


def _held(ring: Ring) -> list[Entry]:
    """Everything from the oldest packet on."""
    return [(bytes(one.data), one.capture_ns, one.is_keyframe) for one in ring.snapshot(-(10**9)).packets()]


def _span_ns(ring: Ring) -> int:
    """What a pre-roll can reach back."""
    times_ns = ring.snapshot(-(10**9)).times_ns
    return times_ns[-1] - times_ns[0]


@given(pushes=PUSHES, capacity=st.integers(1, 200), slots=st.integers(1, 24))
@settings(max_examples=300, deadline=None)
def test_what_is_held_is_always_the_newest_whole_gops_unchanged(
    pushes: list[tuple[int, int, bool]], capacity: int, slots: int
) -> None:
    ring = CheckedRing(capacity_bytes=capacity, max_packets=slots)
    gops: list[list[Entry]] = []
    now_ns = 0
    for pushed, (size, step, is_key) in enumerate(pushes, start=1):
        now_ns += step
        data = bytes([pushed % 256]) * size
        if ring.push(data, now_ns, is_keyframe=is_key):
            if is_key:
                gops.append([])
            gops[-1].append((data, now_ns, is_key))
        held = _held(ring)
        # A suffix of what was taken, from the start of a GOP; only ever whole GOPs are missing before it.
        everything = [entry for gop in gops for entry in gop]
        starts = {sum(map(len, gops[:n])) for n in range(len(gops) + 1)}
        assert held == everything[len(everything) - len(held) :]
        assert len(everything) - len(held) in starts
        assert sum(len(entry[0]) for entry in held) <= capacity
        assert len(held) <= slots
        assert ring.pushed == pushed == len(held) + ring.evicted + ring.discarded


@given(pushes=PUSHES, capacity=st.integers(80, 300))
@settings(max_examples=200, deadline=None)
def test_nothing_is_evicted_while_there_is_room_for_twice_the_largest_packet(
    pushes: list[tuple[int, int, bool]], capacity: int
) -> None:
    ring = CheckedRing(capacity_bytes=capacity, max_packets=1000)
    for now_ns, (size, _, is_key) in enumerate(pushes):
        before = len(ring)
        used = sum(len(entry[0]) for entry in _held(ring))
        if ring.push(bytes(size), now_ns, is_keyframe=is_key) and used + 4 * 70 <= capacity:
            # A wrap wastes less than one packet at the end, a second packet is the one that comes.
            assert len(ring) == before + 1


def test_a_packet_before_the_first_key_frame_is_discarded() -> None:
    ring = CheckedRing(capacity_bytes=100, max_packets=4)
    assert not ring.push(b"x", 1, is_keyframe=False)
    assert (ring.discarded, len(ring)) == (1, 0)


def test_after_a_packet_that_does_not_fit_nothing_is_taken_until_a_key_frame() -> None:
    ring = CheckedRing(capacity_bytes=100, max_packets=10)
    assert ring.push(b"k" * 10, 1, is_keyframe=True)
    assert not ring.push(b"p" * 101, 2, is_keyframe=False)
    assert not ring.push(b"p", 3, is_keyframe=False)
    assert ring.push(b"k", 4, is_keyframe=True)
    assert ring.push(b"p", 5, is_keyframe=False)
    assert (ring.discarded, len(ring)) == (2, 3)


def test_time_that_does_not_rise_is_discarded() -> None:
    ring = CheckedRing(capacity_bytes=100, max_packets=10)
    ring.push(b"k", 5, is_keyframe=True)
    assert not ring.push(b"k", 5, is_keyframe=True)
    assert ring.discarded == 1


def test_a_gop_that_alone_fills_the_ring_goes_and_is_counted() -> None:
    ring = CheckedRing(capacity_bytes=100, max_packets=10)
    ring.push(b"k" * 60, 1, is_keyframe=True)
    ring.push(b"p" * 30, 2, is_keyframe=False)
    assert not ring.push(b"p" * 30, 3, is_keyframe=False)
    assert (ring.discarded, ring.evicted, len(ring)) == (3, 0, 0)


def test_a_burst_shortens_the_span_and_never_grows_the_buffer() -> None:
    ring = CheckedRing(capacity_bytes=6_000, max_packets=100)
    for n in range(200):
        ring.push(bytes(100), n * 1000, is_keyframe=n % 10 == 0)
    calm_ns = _span_ns(ring)
    for n in range(200, 400):
        ring.push(bytes(400), n * 1000, is_keyframe=n % 10 == 0)
    assert _span_ns(ring) <= calm_ns / 3
    assert ring.capacity_bytes == 6_000


def test_a_snapshot_starts_at_the_last_key_frame_at_or_before_the_time_asked_for() -> None:
    ring = CheckedRing(capacity_bytes=1000, max_packets=100)
    for n in range(30):
        ring.push(bytes([n]), n * 10, is_keyframe=n % 5 == 0)
    assert ring.snapshot(120).times_ns[0] == 100
    assert ring.snapshot(100).times_ns[0] == 100
    assert ring.snapshot(-5).times_ns[0] == 0
    assert ring.snapshot(10_000).times_ns[0] == 250


def test_a_snapshot_leaves_out_what_a_clip_has_taken_already() -> None:
    ring = CheckedRing(capacity_bytes=1000, max_packets=100)
    for n in range(30):
        ring.push(bytes([n]), n * 10, is_keyframe=n % 5 == 0)
    assert ring.snapshot(0, after=9).first == 10
    assert ring.snapshot(0, after=11).first == 15
    assert len(ring.snapshot(0, after=29)) == 0


def test_a_snapshot_is_views_of_the_ring_and_detached_is_not() -> None:
    ring = CheckedRing(capacity_bytes=40, max_packets=100)
    for n in range(10):
        ring.push(bytes([n]) * 7, n, is_keyframe=n % 2 == 0)
    snapshot = ring.snapshot(-1)
    views, copies = snapshot.packets(), snapshot.detached()
    before = [bytes(one.data) for one in views]
    assert [bytes(one.data) for one in copies] == before
    assert b"".join(snapshot.regions()) == b"".join(before)
    for n in range(10, 16):
        ring.push(bytes([n]) * 7, n, is_keyframe=n % 2 == 0)
    assert [bytes(one.data) for one in views] != before
    assert [bytes(one.data) for one in copies] == before
    assert all(one.data.readonly for one in views)


def test_clearing_lets_everything_go_and_waits_for_a_key_frame() -> None:
    ring = CheckedRing(capacity_bytes=100, max_packets=10)
    ring.push(b"k", 1, is_keyframe=True)
    ring.clear()
    ring.check()
    assert (len(ring), ring.evicted) == (0, 1)
    assert not ring.push(b"p", 2, is_keyframe=False)
    assert ring.push(b"k", 3, is_keyframe=True)


def test_a_broken_invariant_is_a_bug() -> None:
    ring = CheckedRing(capacity_bytes=100, max_packets=10)
    ring.push(b"k", 1, is_keyframe=True)
    ring._keyframes[0] = False
    with pytest.raises(BugError, match="B3"):
        ring.check()


def test_a_ring_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        Ring(capacity_bytes=0, max_packets=1)
