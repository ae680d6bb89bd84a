"""The campaigns over what comes from outside: requests, notices and the directory."""

from typing import Final

from tests.mutation.campaign import Campaign

_T: Final = "tests/consent/test_"
_CHECKS: Final = (f"{_T}checks.py", f"{_T}vectors_requests.py")
_TUF: Final = (f"{_T}tuf_directory.py", f"{_T}tuf_attacks.py", f"{_T}tuf_evidence.py")
_LOOKED_UP: Final = (
    "MAX_LOOKED_UP: Final = 256  # agencies remembered under one platform.json; what fell out is looked up again"
)
_CACHED: Final = "MAX_CACHED_FILES: Final = 64  # target files kept on the card"

CAMPAIGNS: Final = (
    Campaign(
        "agent.consent.checks",
        (f"{_T}checks.py",),
        {
            "'the dispatch key is no longer listed' changed in `return replace(outcome, code=\"E_KEY\", "
            'why="the dispatch key is no longer listed", needs_dispatch=False)`': "words for the log",
        },
    ),
    Campaign("agent.consent.request", (f"{_T}request.py",)),
    Campaign(
        "agent.consent.forms",
        (
            *(f"{_T}{name}.py" for name in ("forms", "request", "directory", "notices", "consents", "settings")),
            f"{_T}consents_vectors.py",
            *_CHECKS,
        ),
    ),
    Campaign("agent.consent.limits_of_owner", (f"{_T}directory.py", *_CHECKS)),
    Campaign("agent.consent.directory", (f"{_T}directory.py",)),
    Campaign("agent.consent.directory_keys", (f"{_T}directory.py", *_CHECKS)),
    Campaign("agent.consent.notices", (f"{_T}notices.py", f"{_T}vectors_notices.py")),
    Campaign("agent.core.directory_paths", ("tests/core/test_directory_paths.py",)),
    Campaign(
        "agent.consent.tuf_fetcher",
        _TUF,
        {
            '404 minus 1 in `raise DownloadHTTPError(f"{url} is not there", 404) from exc`': (
                "python-tuf takes 403 and 404 alike"
            ),
        },
    ),
    Campaign(
        "agent.consent.tuf_directory",
        _TUF,
        {
            **dict.fromkeys(
                (
                    *(f"256 {by} 1 in `{_LOOKED_UP}`" for by in ("plus", "minus")),
                    *(f"64 {by} 1 in `{_CACHED}`" for by in ("plus", "minus")),
                ),
                "a figure of ours; that it bounds is tested with smaller ones",
            ),
            """'T' changed in `T = TypeVar("T")`""": "a name for the type checker",
            "call dropped in `updater.refresh()`": "the look at the first target does it too",
            "call dropped in `info.verify_length_and_hashes(raw)`": "python-tuf verified the file just before",
        },
    ),
)
