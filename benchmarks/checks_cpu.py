"""CPU of all 15 checks of a good request, against its two bare Ed25519 verifications, in the same run.

    python -m benchmarks.checks_cpu [--rounds 40]

Both sides alternate in short rounds on one pinned core; the figure is the median of the rounds' ratios. The bar
is 2.0. The request is the vectors' good one; its keys are loaded when the directory is parsed, on both sides.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

from agent.consent.checks import check_request
from agent.core.envelope import pae, parse_envelope
from agent.core.keys import load_verify_key
from tests.consent.request_vectors import arguments, case_named, named_view

BAR = 2.0
REPEATS = 50


def cpu_us(action: Callable[[], object]) -> float:
    """Return the CPU of one call, microseconds, as the mean of a short run."""
    begin = time.process_time_ns()
    for _ in range(REPEATS):
        action()
    return (time.process_time_ns() - begin) / REPEATS / 1_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--case", default="good")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    case = case_named(options.case)
    known = arguments(case.state)
    view = named_view(case.state["directory"])
    envelope = parse_envelope(case.raw, counts=(2,))
    signed = pae(envelope.payload_type, envelope.payload)
    assert view is not None
    listed = [
        *view.platform.dispatch,
        *(key for agency in view.agencies.values() if agency for key in agency.sign),
    ]
    publics = {key.kid: key.pub for key in listed}
    pairs = [(load_verify_key(publics[item.keyid]), item.sig) for item in envelope.signatures]

    def bare() -> None:
        for key, sig in pairs:
            key.verify(sig, signed)

    def checked() -> None:
        assert check_request(case.raw, **known).code == "OK"

    bare()
    checked()
    rounds = [(cpu_us(bare), cpu_us(checked)) for _ in range(options.rounds)]
    ratio = statistics.median(b / a for a, b in rounds)
    two, all_15 = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"two verifications {two:.1f} us, all checks {all_15:.1f} us, ratio {ratio:.2f} (bar {BAR})")
    return 0 if ratio <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
