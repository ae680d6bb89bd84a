"""Every seed and every crash that was ever found holds the invariant of its target."""

import pytest

from tests.fuzz.targets import FOLDER, load, names, seeds


def test_there_is_a_target_for_each_parser_that_foreign_bytes_reach() -> None:
    assert {"envelope", "request", "cancel", "alert", "directory", "tuf", "consent", "action", "pair"} <= set(
        names()
    )


@pytest.mark.parametrize("name", names())
def test_the_first_comment_of_a_target_is_its_invariant(name: str) -> None:
    assert (FOLDER / f"fuzz_{name}.py").read_text("utf-8").startswith("# Invariant: ")


@pytest.mark.parametrize("name", names())
def test_seeds_and_old_crashes_hold_the_invariant(name: str) -> None:
    one, begin_with = load(name).one, list(seeds(name))
    assert len(begin_with) > 1
    for seed in begin_with:
        one(seed)
        one(seed[: len(seed) // 2])


@pytest.mark.parametrize("name", names())
def test_bytes_that_are_nothing_hold_the_invariant(name: str) -> None:
    one = load(name).one
    for data in (b"", b"\0", b"\1", b"\xff" * 40, b"\1{}", b'\0{"v":1}', b"\1" + b"[" * 5_000):
        one(data)
