"""The campaigns over the owner's decision: the table, the consents, the release and what stands around them."""

from typing import Final

from tests.mutation.campaign import Campaign

_T: Final = "tests/consent/test_"

CAMPAIGNS: Final = (
    Campaign("agent.consent.states", (f"{_T}states.py",)),
    Campaign(
        "agent.consent.consent_form",
        (f"{_T}consents.py", f"{_T}consents_vectors.py"),
        {
            '0 minus 1 in `return Grant(segment, octets(item["wrap"], "wrap", '
            "low=0, high=MAX_WRAP_FORM_BYTES))`": "nothing is shorter than nothing",
        },
    ),
    Campaign(
        "agent.consent.consents",
        (f"{_T}consents.py", f"{_T}console.py", f"{_T}consents_vectors.py"),
        {
            f"1024 {way} 1 in `MAX_STORED_BYTES: Final = MAX_CONSENT_BYTES + 1_024`": "only room for one signature"
            for way in ("plus", "minus")
        },
    ),
    Campaign("agent.consent.console", (f"{_T}console.py",)),
    Campaign("agent.consent.release", (f"{_T}release.py",)),
    Campaign(
        "agent.consent.actions",
        (f"{_T}actions.py",),
        {
            "0 minus 1 in `check_signature(envelope, envelope.signatures[0], phone.sign_pub)`": (
                "an action has one signature: the first is the last"
            ),
        },
    ),
    Campaign(
        "agent.consent.settings",
        (f"{_T}settings.py",),
        {"Lt becomes LtE in `if start < end:`": "quiet hours never end when they start"},
    ),
    Campaign("agent.consent.nonces", (f"{_T}nonces.py",)),
    Campaign("agent.consent.phones", (f"{_T}pairing.py", f"{_T}actions.py")),
    Campaign("agent.consent.pairing", (f"{_T}pairing.py",)),
    Campaign(
        "agent.consent.sessions",
        (f"{_T}sessions.py", f"{_T}pairing.py"),
        {"b'' changed in `return b\"\"`": "no session is kept under anything but a hash"},
    ),
    Campaign(
        "agent.consent.button",
        (f"{_T}button.py",),
        {
            **{
                f"0 {way} 1 in `self._raw_since_ns = 0`": "an open contact's time is never asked for"
                for way in ("plus", "minus")
            },
            **{
                f"0 {way} 1 in `self._closed_since_ns: int | None = 0 if starts_closed else None`": (
                    "a contact that is closed at the start was reported already, whenever it closed"
                )
                for way in ("plus", "minus")
            },
            "0 minus 1 in `self._last_ns = 0`": "boot time is never negative",
        },
    ),
)
