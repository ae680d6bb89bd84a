"""Every case of requests.json gets the exact code of protocol section 7."""

import pytest

from tests.consent.request_vectors import Case, cases, outcome_of

# Where the protocol leaves room (`accept`), the other reading that is ours.
OURS = {
    "text: lone surrogate": "E_JSON",  # half a character is no UTF-8, wherever it stands
    # section 1 leaves letters of category Lm aside
    "officer name: Japanese with the iteration mark": "OK",
    "officer name: Katakana with the long mark": "OK",
    "officer name: Hawaiian with the okina": "OK",
}


def test_there_are_514_cases_and_none_is_left_out() -> None:
    assert len(cases()) == 514


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_request_gets_its_code(case: Case) -> None:
    code = outcome_of(case).code
    assert code in case.accept
    assert code == OURS.get(case.name, case.expect)
