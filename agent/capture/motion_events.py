"""From answers frame by frame to events: what was there from when to when. Pure.

The kernel believes a motion some tenths of a second, at worst a few seconds, after it began (insects and leaves
are not believed), and then says when it began. The recorder reaches back by its pre-roll; here, where the whole
video is known, the frames themselves are marked. Two motions less than a second apart are one event: a post hides
a person no longer, and visitors are further apart.
"""

from collections.abc import Sequence

from agent.capture.motion import MotionResult

_BRIDGE_MS = 1000.0


def mark(times_ms: Sequence[float], answers: Sequence[MotionResult]) -> list[bool]:
    """Return for each frame whether it belongs to an event."""
    marked = [answer.motion for answer in answers]
    for n, answer in enumerate(answers):
        if not answer.motion or (n and answers[n - 1].motion):
            continue
        before = n - 1
        while before >= 0 and not marked[before] and times_ms[before] >= answer.began_ms - 1e-6:
            marked[before] = True
            before -= 1
    last = None
    for n, is_marked in enumerate(marked):
        if not is_marked:
            continue
        if last is not None and n - last > 1 and times_ms[n] - times_ms[last] <= _BRIDGE_MS:
            marked[last + 1 : n] = [True] * (n - last - 1)
        last = n
    return marked


def events_of(marked: Sequence[bool]) -> list[tuple[int, int]]:
    """Return (first frame, last frame), inclusive, of each run of marked frames."""
    events: list[tuple[int, int]] = []
    first = None
    for n, is_marked in enumerate([*marked, False]):
        if is_marked and first is None:
            first = n
        elif not is_marked and first is not None:
            events.append((first, n - 1))
            first = None
    return events
