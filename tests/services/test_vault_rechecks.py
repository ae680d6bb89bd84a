"""What changes between the yes and the upload, in the real vault: the directory, a phone, a file."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.consent.states import State
from tests.fakes.vault_rig import GRACE_S, FakePhone, Rig, code_of


def test_an_agency_suspended_in_the_grace_time_cancels(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    rig.platform.status, rig.platform.version = "suspended", 2
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "CANCELLED"
    assert rig.uplink.received == {}


def test_a_revoked_dispatch_key_cancels_what_is_pending(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.platform.serves_dispatch, rig.platform.version = [Ed25519PrivateKey.generate()], 2
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    assert rig.state(request_id) == "CANCELLED"


def test_a_replaced_agency_key_stops_an_upload_under_way(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.uplink.fails = True
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "UPLOADING"
    rig.platform.agency_enc, rig.platform.version = FakePhone().open_key, 2
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    assert rig.state(request_id) == "CANCELLED"
    rig.uplink.fails = False
    rig.pass_s(1_800)
    assert rig.uplink.received == {}


def test_an_expired_timestamp_holds_a_share_back(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    raw = rig.phone.consent(rig, request_id)
    rig.platform.is_reachable = False
    rig.clock.pass_s(200)
    rig.vault.directory._directory._view = None  # type: ignore[attr-defined]
    assert code_of(rig.decide(request_id, raw)) == "C_STALE"


def test_a_timestamp_that_runs_out_in_the_grace_time_waits_for_a_fresh_one(rig: Rig) -> None:
    rig.platform.life_s = 30
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    request_id = rig.ask_the_owner()
    assert rig.share(request_id) is State.GRACE
    rig.platform.is_reachable = False
    rig.clock.pass_s(61)
    rig.settle()
    rig.clock.pass_s(60)
    rig.settle()
    assert rig.state(request_id) == "GRACE"
    assert rig.uplink.received == {}


def test_a_changed_segment_file_is_not_handed_over(rig: Rig) -> None:
    segment = rig.record()
    request_id = rig.ask()
    rig.share(request_id)
    path = rig.config.device.state_dir / "segments" / f"{segment}.seg"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.chmod(0o640)
    path.write_bytes(raw)
    rig.pass_s(GRACE_S)
    assert rig.uplink.received == {}
    assert rig.state(request_id) == "WITHDRAWN"


def test_a_phone_unpaired_in_the_grace_time_releases_nothing(rig: Rig) -> None:
    other = FakePhone()
    rig.pair(other)
    rig.vault.phones.admit(other.kid)
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    rig.vault.phones.unpair(rig.phone.kid)
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "PENDING"
    assert rig.uplink.received == {}
