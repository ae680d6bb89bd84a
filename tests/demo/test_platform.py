"""Agency, dispatch and upload server do what the protocol says of them."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.core.envelope import check_signature, parse_envelope, sign
from agent.core.errors import RefusedError
from agent.core.geo import area_m2, check_polygon, contains
from agent.core.ids import sha256_hex
from demo.agency import Agency, square
from demo.directory import Directory
from demo.dispatch import Dispatch, DispatchError, cells_of
from demo.keys import SignKey
from demo.submissions import Submissions

NOW_S = 1_800_000_000
VECTORS = Path(__file__).parents[1] / "vectors" / "submissions.json"


@pytest.fixture
def agency() -> Agency:
    return Agency()


@pytest.fixture
def dispatch(agency: Agency) -> Dispatch:
    key = SignKey()
    directory = Directory(
        now_s=NOW_S, dispatch=[key], receipt=[SignKey()], endpoints={}, agencies=[agency.directory_file()]
    )
    return Dispatch(key, directory)


def test_a_request_has_both_signatures(agency: Agency, dispatch: Dispatch) -> None:
    payload = agency.request(now_s=NOW_S, window=(NOW_S - 600, NOW_S - 300))
    envelope = parse_envelope(dispatch.countersign(agency.sign_request(payload)), counts=(2,))
    keys = {agency.sign_key.kid: agency.sign_key.pub, dispatch.key.kid: dispatch.key.pub}
    for signature in envelope.signatures:
        check_signature(envelope, signature, keys.pop(signature.keyid))
    assert keys == {}
    assert json.loads(envelope.payload) == payload


def test_dispatch_countersigns_for_active_agencies_only(agency: Agency, dispatch: Dispatch) -> None:
    signed = agency.sign_request(agency.request(now_s=NOW_S, window=(NOW_S - 600, NOW_S - 300)))
    assert dispatch._directory is not None
    dispatch._directory.suspend(agency.id)
    with pytest.raises(DispatchError, match="not active"):
        dispatch.countersign(signed)


def test_dispatch_countersigns_only_what_the_agency_signed(agency: Agency, dispatch: Dispatch) -> None:
    impostor = Agency()
    payload = agency.request(now_s=NOW_S, window=(NOW_S - 600, NOW_S - 300))
    with pytest.raises(DispatchError, match="not signed by a key"):
        dispatch.countersign(impostor.sign_request(payload))


@pytest.mark.parametrize("latitude", [0, 377_749_000, -338_688_000, 700_000_000])
def test_the_default_area_is_one_that_a_device_takes(latitude: int) -> None:
    centre = (latitude, -1_224_194_000)
    area = square(centre)
    check_polygon(area)
    assert contains(area, centre)
    assert 65_000 < area_m2(area) < 1_300_000


def test_a_request_goes_to_every_cell_that_its_area_touches(agency: Agency) -> None:
    cells = cells_of(square(agency.centre))
    assert {len(cell) for cell in cells} == {3, 4}
    assert "9q8y" in cells
    assert "9q8" in cells


@pytest.fixture
def vector() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(VECTORS.read_bytes())["defaults"]
    return found


def taken(vector: dict[str, Any], folder: Path, missing: str = "") -> Submissions:
    files: dict[str, bytes] = {
        sha256_hex(body): body for body in map(base64.b64decode, vector["segments"].values())
    }
    return Submissions(
        folder, SignKey(), lambda sha256: None if sha256 == missing else files.get(sha256), lambda: NOW_S
    )


def test_a_submission_is_kept_as_a_bundle_and_gets_its_receipt(vector: dict[str, Any], tmp_path: Path) -> None:
    submissions = taken(vector, tmp_path)
    raw = json.dumps(vector["submission"]).encode()
    receipt = parse_envelope(submissions.take(raw), counts=(1,))
    check_signature(receipt, receipt.signatures[0], submissions.receipt_key.pub)
    payload = json.loads(receipt.payload)
    submitted = base64.b64decode(vector["submission"]["payload"])
    assert payload["submission_sha256"] == sha256_hex(submitted)
    assert len(payload["segments"]) == 2
    bundle = submissions.bundle(payload["request"])
    assert (bundle / "submission.json").read_bytes() == raw
    assert {path.stem for path in (bundle / "segments").iterdir()} == set(vector["segments"])


def test_the_same_submission_gets_the_same_receipt(vector: dict[str, Any], tmp_path: Path) -> None:
    submissions = taken(vector, tmp_path)
    raw = json.dumps(vector["submission"]).encode()
    assert submissions.take(raw) == submissions.take(raw)


def test_a_submission_of_what_was_not_uploaded_gets_none(vector: dict[str, Any], tmp_path: Path) -> None:
    first = sha256_hex(base64.b64decode(next(iter(vector["segments"].values()))))
    submissions = taken(vector, tmp_path, missing=first)
    with pytest.raises(RefusedError) as caught:
        submissions.take(json.dumps(vector["submission"]).encode())
    assert caught.value.code == "missing"
    assert not submissions.receipts


def test_a_submission_that_its_device_did_not_sign_gets_none(vector: dict[str, Any], tmp_path: Path) -> None:
    payload = json.loads(base64.b64decode(vector["submission"]["payload"]))
    payload["device_pub"] = base64.b64encode(SignKey().pub).decode()
    changed = {**vector["submission"], "payload": base64.b64encode(json.dumps(payload).encode()).decode()}
    with pytest.raises(RefusedError):
        taken(vector, tmp_path).take(json.dumps(changed).encode())


def resigned(vector: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> bytes:
    """The submission after `change`, signed by a device of the test's own."""
    device = SignKey()
    payload = json.loads(base64.b64decode(vector["submission"]["payload"]))
    payload["device_pub"] = base64.b64encode(device.pub).decode()
    change(payload)
    return sign("submission", json.dumps(payload).encode(), [device.private])


def put_inside(envelope: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> None:
    inner = json.loads(base64.b64decode(envelope["payload"]))
    change(inner)
    envelope["payload"] = base64.b64encode(json.dumps(inner).encode()).decode()


def test_a_submission_that_is_signed_anew_is_taken(vector: dict[str, Any], tmp_path: Path) -> None:
    assert taken(vector, tmp_path).take(resigned(vector, lambda _: None))


@pytest.mark.parametrize("name", ["../escaped", "deeper/down", "", "A" * 32, 7, None])
def test_what_names_a_file_is_an_id_and_nothing_else(vector: dict[str, Any], tmp_path: Path, name: object) -> None:
    def in_the_request(payload: dict[str, Any]) -> None:
        put_inside(payload["request"], lambda request: request.update(id=name))

    def in_a_consent(payload: dict[str, Any]) -> None:
        put_inside(payload["consents"][0], lambda consent: consent["segments"][0].update(id=name))

    for change in (in_the_request, in_a_consent):
        with pytest.raises(RefusedError, match="an id in the submission is none"):
            taken(vector, tmp_path / "bundles").take(resigned(vector, change))
    assert list(tmp_path.rglob("*")) == []
