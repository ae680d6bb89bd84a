"""One error tree: hostile data, the world's trouble and our own bugs never share a class.

Foreign errors are translated into one of these at the edge, `from exc`. Our own bugs stand outside of it, so that
nobody who expects a `DoorbellError` swallows one.
"""


class DoorbellError(Exception):
    """Root of what comes from outside: foreign data, the world, the configuration."""


class RefusedError(DoorbellError):
    """Data from outside that is hostile or not acceptable.

    Attributes:
        code: a code of the protocol (`E_SIG`, `C_STATE`, …) or a short lower-case word.
    """

    def __init__(self, code: str, why: str = "") -> None:
        super().__init__(why or code)
        self.code = code


class TroubleError(DoorbellError):
    """The world's trouble: a full disk, an unreachable broker, a missing camera.

    Attributes:
        code: the fault that `doorbell status` shows.

    The text is one plain line that says what happened and what to do.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class ConfigError(DoorbellError):
    """A configuration that can't be used: one line with the key, the value and what is allowed."""


class BugError(Exception):
    """Our own mistake: an illegal transition or a broken invariant. Never caused by foreign data."""
