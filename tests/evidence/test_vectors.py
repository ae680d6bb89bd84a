"""Every case of the submission vectors: `verify` says yes to exactly those that hold."""

from pathlib import Path

import pytest

from agent.evidence.bundle_folder import BundleFolder
from agent.evidence.verify import judge
from tests.fakes.evidence_bundles import BundleCase, bundle_case, bundle_cases

CASES = bundle_cases()
# Which claim each case breaks, by the words of its name; it must be named. Later claims may fall with it.
NAMED = {
    "a bit of a segment": "sealed",
    "a segment cut": "sealed",
    "a segment missing": "sealed",
    "a segment that was not granted": "grant",
    "another agency's key": "opens",
    "plain hash in the log differs": "plain",
    "sealed hash in the log differs": "sealed",
    "times in the log differ": "sealed",
    "a segment outside the request's time": "grant",
    "a segment of another device": "sealed",
    "submission by another key": "submission",
    "another device's key named": "checkpoint",
    "submission with a field more": "submission",
    "request without the dispatch key": "request",
    "request without the agency's key": "request",
    "request by the dispatch key alone": "request",
    "request for a key that the agency has not": "request",
    "request over the window's limit": "request",
    "request of an agency that is not in the bundle": "request",
    "no consent": "consent",
    "a decline": "consent",
    "consent by a stranger": "consent",
    "consent by a stranger who says that he is paired": "approver",
    "consent to another request": "consent",
    "consent to another key": "consent",
    "consent by a button that is not named": "consent",
    "consent that is not in the log": "approver",
    "pairing that is not shown": "approver",
    "two grants swapped": "opens",
    "no leaves": "inclusion",
    "a leaf missing: segment": "sealed",
    "a leaf missing: consent": "approver",
    "a leaf missing: paired": "approver",
    "a leaf changed: segment": "inclusion",
    "a leaf changed: consent": "inclusion",
    "a leaf changed: paired": "inclusion",
    "a proof's step missing": "inclusion",
    "checkpoint of another size": "checkpoint",
    "checkpoint by another key": "checkpoint",
    "directory without metadata/2.root.json": "directory",
    "directory without metadata/timestamp.json": "directory",
    "directory without metadata/snapshot.json": "directory",
    "directory without metadata/targets.json": "directory",
    "directory without metadata/agencies.json": "request",
    "directory without targets/platform.json": "directory",
    "directory without targets/agencies/us-ca-examplepd.json": "request",
    "platform.json changed": "directory",
    "agency suspended": "request",
    "another root": "directory",
    "directory had run out when it was received": "directory",
    "receipt by another key": "receipt",
    "receipt for another submission": "receipt",
    "receipt for another request": "receipt",
    "receipt for one segment only": "receipt",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_vector_is_judged_as_it_says(case: BundleCase, tmp_path: Path) -> None:
    claims = judge(BundleFolder(case.write(tmp_path / "bundle")), case.root, case.key).claims
    broken = [claim for claim in claims if not claim.holds]
    assert (not broken) is case.holds, broken
    if not case.holds:
        assert NAMED[case.name] in {claim.name for claim in broken}, broken


def test_every_vector_that_does_not_hold_says_what_it_breaks() -> None:
    assert sorted(NAMED) == sorted(case.name for case in CASES if not case.holds)


def test_all_claims_of_the_protocol_are_told_in_its_order(tmp_path: Path) -> None:
    case = bundle_case("good")
    names = [
        claim.name for claim in judge(BundleFolder(case.write(tmp_path / "bundle")), case.root, case.key).claims
    ]
    assert names == [
        "submission",
        "directory",
        "request",
        "consent",
        "approver",
        "grant",
        "sealed",
        "opens",
        "plain",
        "inclusion",
        "checkpoint",
        "receipt",
    ]


def test_a_receipt_that_is_not_there_is_named_as_what_is_wrong(tmp_path: Path) -> None:
    case = bundle_case("good")
    folder = case.write(tmp_path / "bundle")
    (folder / "receipt.json").unlink()
    told = {claim.name: claim.text for claim in judge(BundleFolder(folder), case.root, case.key).claims}
    assert told["receipt"] == "receipt.json is missing"
    assert told["directory"] == "not judged, because the claim receipt does not hold"


def test_without_a_key_nothing_is_claimed_about_the_films(tmp_path: Path) -> None:
    case = bundle_case("good")
    claims = judge(BundleFolder(case.write(tmp_path / "bundle")), case.root, None).claims
    assert {"opens", "plain"}.isdisjoint(claim.name for claim in claims)
    assert all(claim.holds for claim in claims)


def test_without_a_root_the_directory_is_no_claim_but_the_rest_is_judged(tmp_path: Path) -> None:
    case = bundle_case("good")
    verdict = judge(BundleFolder(case.write(tmp_path / "bundle")), None, case.key)
    assert "directory" not in {claim.name for claim in verdict.claims}
    assert verdict.holds
    assert any(line.startswith("directory:") for line in verdict.unjudged)


@pytest.mark.parametrize("name", ["platform.json changed", "directory without metadata/timestamp.json"])
def test_without_a_root_a_directory_that_contradicts_itself_is_named(name: str, tmp_path: Path) -> None:
    case = bundle_case(name)
    verdict = judge(BundleFolder(case.write(tmp_path / "bundle")), None, case.key)
    assert not next(claim for claim in verdict.claims if claim.name == "directory").holds
