"""Whatever stands in a bundle, `verify` answers with claims: it never crashes.

The bundle is taken apart and signed again by a device key of the test's own, so that mutations reach every parser
behind the submission's signature.
"""

import base64
import json
import random
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.encoding import b64
from agent.core.envelope import sign
from agent.core.keys import raw_public
from agent.evidence.bundle_folder import BundleFolder
from agent.evidence.verify import judge
from tests.fakes.evidence_bundles import bundle_case

STRANGE: list[Any] = [
    None, True, 0, -1, 10**16 - 1, "", "x", "\u202e", "A" * 5000, [], {}, [[]], {"v": 1}, "AAAA", "=",
]  # fmt: skip
ROUNDS = 600


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += places(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += places(item, (*at, index))
    return found


def put(value: Any, at: tuple[Any, ...], new: Any) -> None:
    for step in at[:-1]:
        value = value[step]
    value[at[-1]] = new


def mutate_inner(text: str, draw: random.Random) -> str:
    """Change one place inside base64 of JSON, or one byte where it is none."""
    raw = base64.b64decode(text)
    try:
        value = json.loads(raw)
    except ValueError:
        return b64(raw[: draw.randrange(len(raw) + 1)])
    spots = places(value)
    if not spots:
        return b64(b"[" * 100_000)
    put(value, draw.choice(spots), draw.choice(STRANGE))
    return b64(json.dumps(value).encode())


def test_a_mutated_submission_is_judged_and_never_crashes_the_judge(tmp_path: Path) -> None:
    case = bundle_case("good, phone and button")
    folder = case.write(tmp_path / "bundle")
    draw = random.Random(7)
    device = Ed25519PrivateKey.from_private_bytes(b"a key of this test alone, public")
    good = json.loads(base64.b64decode(case.parts["submission"]["payload"]))
    for _ in range(ROUNDS):
        value = json.loads(json.dumps(good))
        value["device_pub"] = b64(raw_public(device))
        at = draw.choice(places(value))
        target: Any = value
        for step in at:
            target = target[step]
        inner = isinstance(target, str) and len(target) > 60 and " " not in target and draw.random() < 0.8
        put(value, at, mutate_inner(target, draw) if inner else draw.choice(STRANGE))
        (folder / "submission.json").write_bytes(sign("submission", json.dumps(value).encode(), [device]))
        verdict = judge(BundleFolder(folder), case.root, case.key)
        assert not verdict.holds
        assert all("\n" not in claim.text for claim in verdict.claims)


def test_deep_nesting_in_every_place_is_refused(tmp_path: Path) -> None:
    case = bundle_case("good")
    folder = case.write(tmp_path / "bundle")
    for name in ("submission.json", "receipt.json"):
        good = (folder / name).read_bytes()
        (folder / name).write_bytes(b'{"a":' * 50_000)
        assert not judge(BundleFolder(folder), case.root, case.key).holds
        (folder / name).write_bytes(good)
    assert not judge(BundleFolder(folder), b"[" * 30_000, case.key).holds
