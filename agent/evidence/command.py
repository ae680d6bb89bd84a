"""`doorbell open` and `doorbell verify`: what a person types and reads. No device, no network, no configuration.

Exit 0 only if every claim holds; 1 names what doesn't, or says in one line why nothing could be judged.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from agent.core.directory_paths import MAX_ROOT_BYTES
from agent.core.errors import DoorbellError, TroubleError
from agent.evidence.bundle_folder import BundleFolder, read_file
from agent.evidence.findings import Claim
from agent.evidence.open import open_bundle
from agent.evidence.report import cannot_show
from agent.evidence.verify import judge

MAX_KEY_BYTES: Final = 16_384


def add_open_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `doorbell open` takes."""
    parser.add_argument("bundle", type=Path, help="the folder that holds submission.json")
    parser.add_argument("--key", type=Path, required=True, help="the agency's enc key, PKCS#8 PEM")
    parser.add_argument("--out", type=Path, required=True, help="a new folder for films and report")
    parser.add_argument("--time-zone", default="UTC", help='such as "Europe/London"; times are shown in UTC too')
    parser.add_argument("--root", type=Path, help="the platform's TUF root that you trust")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `doorbell verify` takes."""
    parser.add_argument("bundle", type=Path, help="the folder that holds submission.json")
    parser.add_argument("--root", type=Path, required=True, help="the platform's TUF root that you trust")
    parser.add_argument("--key", type=Path, help="the agency's enc key, PKCS#8 PEM: opens the films too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def load_key(path: Path) -> X25519PrivateKey:
    """Load an agency's enc key: PKCS#8 PEM, X25519 (section 17).

    Raises:
        TroubleError: it can't be read or is another kind of key.
    """
    raw = read_file(path, max_bytes=MAX_KEY_BYTES, what=f"the key {path}", follow=True)
    try:
        key = load_pem_private_key(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise TroubleError("key", f"{path} is no PKCS#8 PEM key without a password") from exc
    if not isinstance(key, X25519PrivateKey):
        raise TroubleError("key", f"{path} is no X25519 key: give the agency's enc key")
    return key


def _load_root(path: Path) -> bytes:
    return read_file(path, max_bytes=MAX_ROOT_BYTES, what=f"the root {path}", follow=True)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise TroubleError("zone", f"{name!a} is no time zone: give one such as Europe/London") from exc


def _print_claims(claims: Sequence[Claim], unjudged: Sequence[str], unshown: Sequence[str]) -> None:
    for claim in claims:
        _say(f"{'holds' if claim.holds else 'FAILS'}  {claim.name:<10}  {claim.text}")
    for line in unjudged:
        _say(f"-      not judged  {line}")
    for line in unshown:
        _say(f"-      can't show  {line}")


def _fail(exc: DoorbellError) -> int:
    sys.stderr.write(f"doorbell: {exc}\n")
    return 1


def _broken(claims: Sequence[Claim]) -> str:
    return ", ".join(claim.name for claim in claims if not claim.holds)


def run_verify(args: argparse.Namespace) -> int:
    """Run `doorbell verify`."""
    try:
        key = None if args.key is None else load_key(args.key)
        verdict = judge(BundleFolder(args.bundle), _load_root(args.root), key)
    except DoorbellError as exc:
        return _fail(exc)
    unshown = cannot_show(verdict.segments)
    if args.json:
        claims = [asdict(claim) for claim in verdict.claims]
        told = {"holds": verdict.holds, "claims": claims, "not_judged": verdict.unjudged, "cannot_show": unshown}
        _say(json.dumps(told))
    else:
        _print_claims(verdict.claims, verdict.unjudged, unshown)
    if not verdict.holds:
        sys.stderr.write(f"doorbell: does not hold: {_broken(verdict.claims)}\n")
    return 0 if verdict.holds else 1


def run_open(args: argparse.Namespace) -> int:
    """Run `doorbell open`."""
    try:
        key, zone = load_key(args.key), _zone(args.time_zone)
        root = None if args.root is None else _load_root(args.root)
        opened = open_bundle(args.bundle, key, args.out, zone, root)
    except DoorbellError as exc:
        return _fail(exc)
    report = opened.report
    if args.json:
        films = [str(film) for film in opened.films]
        _say(json.dumps({"holds": report.holds, "films": films, "report": str(opened.out / "report.html")}))
    else:
        for film in opened.films:
            _say(f"film    {film}")
        _say(f"report  {opened.out / 'report.html'}")
    if not report.holds:
        broken = "; ".join(filter(None, (_broken(report.claims), *report.problems)))
        sys.stderr.write(f"doorbell: does not hold: {broken}\n")
    return 0 if report.holds else 1
