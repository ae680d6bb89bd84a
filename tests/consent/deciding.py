"""Checks a consent, and says how that ended."""

from agent.consent.consents import check_consent
from agent.consent.decision_facts import DecisionFacts
from agent.core.errors import RefusedError


def code_of(raw: bytes, facts: DecisionFacts) -> str:
    try:
        check_consent(raw, facts)
    except RefusedError as refused:
        return refused.code
    return "OK"
