"""Claims and how one rests on another.

A claim either holds, with a value that later claims build on, or it doesn't, with one line that says why. A claim
that rests on one that doesn't hold can't hold itself: it says which one it waits for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from agent.core.errors import RefusedError, TroubleError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that a bundle is said to prove; `text` is one plain line."""

    name: str
    holds: bool
    text: str


@dataclass(frozen=True, slots=True)
class Finding(Generic[T]):
    """A claim together with what it proved."""

    claim: Claim
    value: T | None

    def need(self) -> T:
        """Return what the claim proved.

        Raises:
            RefusedError: not-judged, when it doesn't hold.
        """
        if self.value is None:
            raise RefusedError("not-judged", f"not judged, because the claim {self.claim.name} does not hold")
        return self.value


def find(name: str, step: Callable[[], tuple[T, str]]) -> Finding[T]:
    """Judge one claim: `step` returns what it proved and the line that says so, or raises why it doesn't hold."""
    try:
        value, text = step()
    except (RefusedError, TroubleError) as exc:
        return Finding(Claim(name, holds=False, text=str(exc)), None)
    return Finding(Claim(name, holds=True, text=text), value)
