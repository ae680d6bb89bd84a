"""`python -m tests.mutation [WORD …]`: run the campaigns whose module contains one of the words; all by default.

Exit 0 when at least 95 of 100 mutants were noticed and every other one is explained.
"""

import sys
import time
from typing import Final

import cryptography.hazmat.primitives.hpke  # noqa: F401 - imported once here, so that no child has to
import hypothesis.stateful  # noqa: F401 - the same

from tests.mutation import checks_campaigns, consent_campaigns
from tests.mutation.campaign import run

CAMPAIGNS: Final = (*consent_campaigns.CAMPAIGNS, *checks_campaigns.CAMPAIGNS)
WANTED_FRACTION: Final = 0.95


def main(words: list[str]) -> int:
    killed = total = unexplained = 0
    for campaign in CAMPAIGNS:
        if words and not any(word in campaign.module for word in words):
            continue
        begun = time.monotonic()
        outcome = run(campaign)
        killed, total = killed + outcome.killed, total + outcome.total
        unexplained += len(outcome.survived)
        took_s = time.monotonic() - begun
        print(
            f"{campaign.module}: {outcome.killed} of {outcome.total} noticed, "
            f"{len(outcome.explained)} explained, {took_s:.0f} s",
            flush=True,
        )
        for where in outcome.survived:
            print(f"  survived: {where}", flush=True)
    fraction = killed / total if total else 0.0
    print(f"{killed} of {total} mutants noticed ({fraction:.1%}), {unexplained} survivors without an explanation")
    return 0 if fraction >= WANTED_FRACTION and unexplained == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
