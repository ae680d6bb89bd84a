"""The campaigns over what comes from outside: requests, notices and the directory."""

from typing import Final

from tests.mutation.campaign import Campaign

_T: Final = "tests/consent/test_"
_CHECKS: Final = (f"{_T}checks.py", f"{_T}vectors_requests.py")
_TUF: Final = (f"{_T}tuf_directory.py", f"{_T}tuf_attacks.py", f"{_T}tuf_evidence.py")

CAMPAIGNS: Final = (
    Campaign("agent.consent.checks", (f"{_T}checks.py",)),
    Campaign("agent.consent.request", (f"{_T}request.py",)),
    Campaign("agent.consent.forms", (f"{_T}request.py", f"{_T}directory.py", f"{_T}notices.py", *_CHECKS)),
    Campaign("agent.consent.limits_of_owner", (f"{_T}directory.py", *_CHECKS)),
    Campaign("agent.consent.directory", (f"{_T}directory.py",)),
    Campaign("agent.consent.directory_keys", (f"{_T}directory.py", *_CHECKS)),
    Campaign("agent.consent.notices", (f"{_T}notices.py", f"{_T}vectors_notices.py")),
    Campaign("agent.consent.tuf_fetcher", _TUF),
    Campaign("agent.consent.tuf_directory", _TUF),
)
