"""Says what happens, in plain words, while it happens."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLEAR = "\r\x1b[K"


class Narrator:
    """Numbers the chapters; on a terminal a wait shows its seconds in place, elsewhere it is one line."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._moving = self._out.isatty()
        self._chapter = 0
        self._waiting: tuple[str, float] | None = None

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self._chapter += 1
        self._write(f"\n{self._chapter}. {title}\n")

    def say(self, text: str) -> None:
        """One line."""
        if self._moving and self._waiting is not None:
            self._write(_CLEAR)
        self._write(f"   {text}\n")

    @contextmanager
    def wait(self, text: str) -> Iterator[None]:
        """Say what is waited for; how long it took is said at its end."""
        began = time.monotonic()
        self._waiting = (text, began)
        self._write(f"   {text} …" if self._moving else f"   {text} …\n")
        try:
            yield
        except BaseException:
            if self._moving:
                self._write("\n")
            raise
        finally:
            self._waiting = None
        took = f"{time.monotonic() - began:.0f} s"
        self._write(f"{_CLEAR}   {text}: done ({took})\n" if self._moving else f"   … done ({took})\n")

    def tick(self, more: str = "") -> None:
        """Show that the wait goes on, on a terminal."""
        if self._moving and self._waiting is not None:
            text, began = self._waiting
            seconds = f"{time.monotonic() - began:.0f} s"
            self._write(f"{_CLEAR}   {text} … {more or seconds}")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
