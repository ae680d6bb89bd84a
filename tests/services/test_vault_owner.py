"""Phones, settings, clips, log, clock and peers in the real vault."""

import datetime as dt
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.consent import sqlite_log
from agent.consent.button import Pattern
from agent.consent.directory import Region, RegionAgency
from agent.consent.pairing import phone_mac
from agent.core.checkpoint import parse_checkpoint
from agent.core.encoding import b64, unb64
from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import new_id
from agent.core.keys import raw_public
from agent.core.merkle import consistency_proof, leaf_hash, tree_root, verify_consistency
from agent.core.seal import hpke_open, hpke_seal, stanza_info
from agent.core.strict_json import parse
from agent.services.vault.database import Database
from agent.services.vault.verbs import PageVerbs, RecorderVerbs, UplinkVerbs, run
from agent.services.wire import Message
from tests.fakes.pairing_link import parse_link
from tests.fakes.platform import CAMERA
from tests.fakes.vault_rig import SPKI, FakePhone, Rig


class Asked:
    """A request of a peer that keeps its answer."""

    def __init__(self, verb: str, args: dict[str, Any], blob: bytes | None = None) -> None:
        self.verb = verb
        self.message = Message(args, blob)
        self.result: Any = None

    def answer(self, message: Message | None = None) -> None:
        self.result = message or Message()

    def refuse(self, error: Exception) -> None:
        self.result = error


def _page(rig: Rig, verb: str, args: dict[str, Any], blob: bytes | None = None) -> Any:
    vault = rig.vault
    verbs = PageVerbs(vault.house, vault.answers, vault.phones, vault.decisions, vault.store, vault.directory)
    asked = Asked(verb, args, blob)
    run(verbs.table(), asked)  # type: ignore[arg-type]  # it has a request's methods
    rig.settle()
    return asked.result


def _session(rig: Rig, phone: FakePhone) -> str:
    challenge = unb64(rig.vault.phones.challenge(phone.kid)["challenge"])
    sig = phone.sign_key.sign(b"doorbell/session/v1\0" + SPKI + challenge)
    return str(rig.vault.phones.session(phone.kid, b64(sig))["session"])


# ---- pairing and sessions


def test_the_first_phone_is_admitted_and_the_next_one_waits(rig: Rig) -> None:
    second = FakePhone()
    assert rig.vault.house.phones[rig.phone.kid].state == "admitted"
    assert rig.pair(second)["state"] == "waiting"


def test_three_wrong_tries_close_the_window(rig: Rig) -> None:
    link = parse_link(str(rig.vault.phones.open_window()["url"]))
    phone = FakePhone()
    sign_pub, open_pub = raw_public(phone.sign_key), raw_public(phone.open_key)
    wrong: Any = {"name": "x", "sign_pub": b64(sign_pub), "open_pub": b64(open_pub), "mac": b64(bytes(32))}
    for _ in range(3):
        with pytest.raises(RefusedError) as refused:
            rig.vault.phones.pair(wrong)
        assert refused.value.code == "P_MAC"
    right = {**wrong, "mac": b64(phone_mac(link.secret, link.spki, sign_pub, open_pub))}
    with pytest.raises(RefusedError) as closed:
        rig.vault.phones.pair(right)
    assert closed.value.code == "P_CLOSED"


def test_known_keys_are_answered_like_unknown_ones(rig: Rig) -> None:
    def body(phone: FakePhone) -> dict[str, Any]:
        sign_pub, open_pub = raw_public(phone.sign_key), raw_public(phone.open_key)
        return {"name": "P", "sign_pub": b64(sign_pub), "open_pub": b64(open_pub), "mac": b64(bytes(32))}

    for phone in (rig.phone, FakePhone()):
        codes = []
        rig.vault.phones.open_window()
        for _ in range(4):
            with pytest.raises(RefusedError) as refused:
                rig.vault.phones.pair(body(phone))
            codes.append(refused.value.code)
        assert codes == ["P_MAC", "P_MAC", "P_MAC", "P_CLOSED"]


def test_the_card_pairs_only_while_a_window_is_open(rig: Rig) -> None:
    card, phone = parse_link(rig.card.link), FakePhone()
    sign_pub, open_pub = raw_public(phone.sign_key), raw_public(phone.open_key)
    mac = phone_mac(card.secret, SPKI, sign_pub, open_pub)
    body: Any = {"name": "Card", "sign_pub": b64(sign_pub), "open_pub": b64(open_pub), "mac": b64(mac)}
    with pytest.raises(RefusedError):
        rig.vault.phones.pair(body)
    rig.vault.phones.open_window()
    assert rig.vault.phones.pair(body)["phone"] == phone.kid


def test_nothing_is_answered_without_a_session(rig: Rig) -> None:
    for verb in ("status", "requests", "request", "segments", "clips", "log", "phones", "stanzas", "nonce"):
        refused = _page(rig, verb, {"session": "nobody's"})
        assert isinstance(refused, RefusedError)
        assert refused.code == "NO_SESSION"


def test_a_waiting_phone_sees_no_footage(rig: Rig) -> None:
    segment = rig.record()
    request_id = rig.ask()
    guest = FakePhone()
    rig.pair(guest)
    session = _session(rig, guest)
    assert _page(rig, "clips", {"session": session}).args["body"] == []
    assert _page(rig, "stanzas", {"session": session}).args["body"] == []
    rows = _page(rig, "segments", {"session": session, "id": request_id}).args["body"]
    assert [row["stanza"] for row in rows] == [None]
    assert _page(rig, "segment", {"session": session, "id": segment}).code == "C_APPROVER"
    assert _page(rig, "hand_on", {"session": session, "phone": guest.kid, "stanzas": []}).code == "C_APPROVER"


def test_an_unpaired_phone_is_out_at_once_and_for_good(rig: Rig) -> None:
    other = FakePhone()
    rig.pair(other)
    rig.vault.phones.act(rig.phone.action(rig, "admit", {"phone": other.kid}))
    rig.record()
    session = _session(rig, other)
    rig.vault.phones.act(rig.phone.action(rig, "unpair", {"phone": other.kid}))
    assert _page(rig, "status", {"session": session}).code == "NO_SESSION"
    asked = "SELECT count(*) FROM stanzas WHERE kid = ?"
    count = rig.vault.db.tx.execute(asked, (other.open_kid,)).fetchone()
    assert count == (0,)
    with pytest.raises(RefusedError):
        rig.pair(other)


def test_a_later_phone_opens_what_is_handed_on_and_nothing_else(rig: Rig) -> None:
    old = rig.record()
    other = FakePhone()
    rig.pair(other)
    rig.vault.phones.admit(other.kid)
    fresh = rig.record()
    session = _session(rig, other)
    rows = _page(rig, "stanzas", {"session": session}).args["body"]
    assert [row["id"] for row in rows] == [fresh]
    mine: Any = _page(rig, "stanzas", {"session": _session(rig, rig.phone)}).args["body"]
    sealed = next(row for row in mine if row["id"] == old)["stanza"]
    cek = hpke_open(rig.phone.open_key, unb64(sealed), stanza_info(old, rig.phone.open_kid))
    again = hpke_seal(raw_public(other.open_key), cek, stanza_info(old, other.open_kid))
    args = {
        "session": _session(rig, rig.phone),
        "phone": other.kid,
        "stanzas": [{"id": old, "stanza": b64(again)}],
    }
    _page(rig, "hand_on", args)
    rows = _page(rig, "stanzas", {"session": session}).args["body"]
    assert {row["id"] for row in rows} == {old, fresh}


def test_recipients_follow_the_phones(rig: Rig) -> None:
    def kinds() -> list[str]:
        raw = (rig.config.device.state_dir / "recipients.json").read_bytes()
        value: Any = parse(raw, max_bytes=65_536)
        return sorted(one["kind"] for one in value["recipients"])

    assert kinds() == ["button", "phone", "recovery"]
    other = FakePhone()
    rig.pair(other)
    assert kinds() == ["button", "phone", "recovery"]
    rig.vault.phones.admit(other.kid)
    assert kinds() == ["button", "phone", "phone", "recovery"]
    rig.vault.phones.unpair(rig.phone.kid)
    assert kinds() == ["button", "phone", "recovery"]


# ---- clips


def test_a_clip_can_be_kept_and_deleted_by_a_signed_action(rig: Rig) -> None:
    clip = new_id()
    segment = rig.record(clip=clip)
    rig.vault.phones.act(rig.phone.action(rig, "keep", {"clip": clip}))
    rig.vault.phones.act(rig.phone.action(rig, "delete", {"clip": clip}))
    assert not (rig.config.device.state_dir / "segments" / f"{segment}.seg").exists()
    assert _page(rig, "clips", {"session": _session(rig, rig.phone)}).args["body"] == []


def test_an_approved_clip_cannot_be_deleted_before_it_is_delivered(rig: Rig) -> None:
    clip = new_id()
    rig.record(clip=clip)
    request_id = rig.ask()
    rig.share(request_id)
    with pytest.raises(RefusedError) as refused:
        rig.vault.phones.act(rig.phone.action(rig, "delete", {"clip": clip}))
    assert refused.value.code == "C_STATE"
    rig.pass_s(70)
    rig.vault.phones.act(rig.phone.action(rig, "delete", {"clip": clip}))


def test_an_evicted_segment_leaves_its_leaf_and_no_bytes(rig: Rig) -> None:
    clip = new_id()
    segment = rig.record(clip=clip)
    rig.record()
    before = rig.vault.answers.log(None, 512)
    rig.vault.store.delete_clip(clip)
    after = rig.vault.answers.log(None, 512)
    leaves = [leaf for (leaf,) in rig.vault.db.tx.execute("SELECT leaf FROM log ORDER BY n")]
    assert b64(tree_root(leaves)) == after["root"]
    old_size = int(str(before["size"]))
    assert verify_consistency(
        old_size, unb64(before["root"]), len(leaves), tree_root(leaves), consistency_proof(leaves, old_size)
    )
    assert not any(
        entry is not None and segment in str(entry) and '"segment"' in str(entry) for entry in _list(after)
    )


def test_after_the_hour_the_bytes_of_an_evicted_entry_are_nowhere_on_the_card(rig: Rig) -> None:
    clip = new_id()
    segment = rig.record(clip=clip)
    digest = next(entry["sha256"] for entry in rig.log() if entry["t"] == "segment")
    rig.vault.store.delete_clip(clip)
    rig.vault.hourly()
    files = [path for path in (rig.config.device.state_dir / "vault").glob("vault.db*") if path.is_file()]
    raw = b"".join(path.read_bytes() for path in files)
    assert digest.encode() not in raw
    assert bytes.fromhex(digest) not in raw
    assert segment.encode() in raw  # the `evicted` entry names it


def _list(body: dict[str, Any]) -> list[Any]:
    return list(body["entries"])


# ---- log


def test_every_state_entry_is_under_a_checkpoint_of_the_device(rig: Rig) -> None:
    rig.record()
    rig.ask()
    body: Any = rig.vault.answers.log(None, 512)
    checkpoint = parse_checkpoint(body["checkpoint"], rig.vault.house.keys.device_pub)
    leaves = [leaf_hash(entry.encode()) for entry in body["entries"][: checkpoint.size]]
    assert tree_root(leaves) == checkpoint.root
    assert '"PENDING"' in body["entries"][checkpoint.size - 1]


def test_refusals_are_logged_as_counts_only(rig: Rig) -> None:
    rig.deliver("req", b"nonsense")
    rig.deliver("req", b"{}")
    rig.vault.arrivals.log_rejected()
    entry = rig.log()[-1]
    assert entry["t"] == "rejected"
    assert entry["counts"] == {"E_ENVELOPE": 1, "E_JSON": 1}


# ---- time


def test_an_unsynchronised_start_puts_requests_off_and_maps_clips_later(tmp_path: Path) -> None:
    rig = Rig(tmp_path, device='name = "x"\n')
    rig.clock.is_synchronised = False
    rig.clock.reboot()
    rig.restart()
    rig.clock.jump_s(-9_000_000)
    rig.record(clock="unsynced", start_s=100, mono_ms=15_000)
    rig.pass_s(10)
    assert rig.vault.answers.status()["clock"] == "unsynced"
    subscribed = [verb for verb, _ in rig.uplink.calls].count("subscribe")
    rig.clock.jump_s(9_000_000)
    rig.clock.is_synchronised = True
    rig.pass_s(10)
    assert rig.vault.answers.status()["clock"] == "synced"
    assert [verb for verb, _ in rig.uplink.calls].count("subscribe") > subscribed
    clip: Any = rig.vault.answers.clips(rig.vault.house.phones[rig.phone.kid], 10**15, 10)
    boot_offset_ms = rig.clock.utc_ms() - rig.clock.boot_ns() // 10**6
    assert clip[0]["start_ms"] == 15_000 + boot_offset_ms
    assert clip[0]["segments"][0]["start_ms"] == 100_000
    rig.close()


def test_a_clock_90_days_ahead_deletes_nothing_and_shares_nothing(rig: Rig) -> None:
    segment = rig.record()
    request_id = rig.ask()
    rig.clock.jump_s(90 * 86_400)
    rig.pass_s(10)
    rig.vault.store.sweep()
    assert (rig.config.device.state_dir / "segments" / f"{segment}.seg").exists()
    assert rig.vault.answers.status()["clock"] == "suspect"
    refused = rig.share(request_id)
    assert isinstance(refused, RefusedError)
    assert refused.code in {"C_STALE", "C_CLOCK"}


def test_an_admitted_phone_ends_a_suspicion(rig: Rig) -> None:
    rig.clock.jump_s(2 * 86_400)
    rig.pass_s(5)
    assert rig.vault.answers.status()["clock"] == "suspect"
    now_s = rig.clock.utc_ms() // 1_000
    rig.vault.phones.act(rig.phone.action(rig, "settings", {"clock_at": now_s - 86_400}))
    assert rig.vault.answers.status()["clock"] == "suspect"
    rig.vault.phones.act(rig.phone.action(rig, "settings", {"clock_at": now_s}))
    assert rig.vault.answers.status()["clock"] == "synced"


# ---- the region's agencies


def test_the_list_of_agencies_is_as_new_as_the_directory(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def region(_: object, cell: str) -> Region:
        named = f"The police of version {rig.platform.version}"
        return Region(cell, (RegionAgency("us-ca-examplepd", named, CAMERA),), b"")

    def listed() -> list[str]:
        rows: Any = rig.vault.answers.agencies()
        return [row["name"] for row in rows]

    assert listed() == []
    monkeypatch.setattr(rig.platform, "region", region)
    for version in (2, 3):
        rig.platform.version = version
        rig.vault.directory.refresh(lambda _: None)
        rig.settle()
        assert listed() == [f"The police of version {version}"]


# ---- hostile peers


def test_a_peer_has_only_its_own_verbs(rig: Rig) -> None:
    vault = rig.vault
    recorder = RecorderVerbs(vault.store, vault.recorder).table()
    uplink = UplinkVerbs(vault.uplink, vault.arrivals, vault.uploads).table()
    for table in (recorder, uplink):
        for verb in ("approve", "decision", "pair", "admit", "settings", "segment", "session"):
            asked = Asked(verb, {})
            run(table, asked)  # type: ignore[arg-type]  # it has a request's methods
            assert asked.result.code == "verb"


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("sealed", {"id": "../../etc/passwd"}),
        ("sealed", {"id": 7}),
        ("sealed", {}),
        ("status", {"faults": "none"}),
        ("status", {"faults": [1] * 100}),
    ],
)
def test_a_hostile_recorder_is_refused(rig: Rig, verb: str, args: dict[str, Any]) -> None:
    asked = Asked(verb, args)
    run(RecorderVerbs(rig.vault.store, rig.vault.recorder).table(), asked)  # type: ignore[arg-type]
    assert isinstance(asked.result, RefusedError)


@pytest.mark.parametrize(
    "motion",
    [
        *(None, [], "motion", {}, {"why": "motion"}, {"clip": 1, "why": "motion", "score_milli": 1}),
        *({"clip": True, "why": 7, "score_milli": 1}, {"clip": True, "why": "motion", "score_milli": "1"}),
    ],
)
def test_a_recorder_that_says_motion_in_another_form_has_said_nothing(rig: Rig, motion: Any) -> None:
    rig.vault.recorder.status({"recording": True, "faults": [], "motion": motion})
    assert rig.vault.recorder.motion == {}


def test_what_the_recorder_made_of_the_picture_goes_with_it(rig: Rig) -> None:
    link: Any = object()
    rig.vault.recorder.attach(link)
    said: Any = {"clip": True, "motion": True, "score_milli": 1_520, "why": "motion", "pre_roll_short_ms": 0}
    rig.vault.recorder.status({"recording": True, "faults": [], "motion": said})
    assert rig.vault.recorder.motion == {"clip": True, "why": "motion", "score_milli": 1_520}
    rig.vault.recorder.detached(link)
    assert rig.vault.recorder.motion == {}


def test_a_segment_that_is_not_what_its_sidecar_says_goes_to_quarantine(rig: Rig) -> None:
    segment = rig.record()
    folder = rig.config.device.state_dir / "segments"
    forged = new_id()
    (folder / f"{forged}.seg").write_bytes((folder / f"{segment}.seg").read_bytes())
    (folder / f"{forged}.json").write_bytes(
        (folder / f"{segment}.json").read_bytes().replace(segment.encode(), forged.encode())
    )
    with pytest.raises(RefusedError):
        rig.vault.store.sealed(forged)
    assert (rig.config.device.state_dir / "quarantine" / f"{forged}.seg").exists()
    assert "segments-quarantined" in rig.vault.house.faults.all()


def test_uplink_cannot_complete_an_upload_that_was_never_released(rig: Rig) -> None:
    rig.record()
    request_id = rig.ask()
    uplink = UplinkVerbs(rig.vault.uplink, rig.vault.arrivals, rig.vault.uploads).table()
    for verb, args in (
        ("created", {"request": request_id, "segment": new_id(), "location": "loc-abcdefgh"}),
        ("progress", {"request": request_id, "segment": new_id(), "sent": 5, "total": 5}),
        ("broker", {"state": "up", "why": ""}),
    ):
        run(uplink, Asked(verb, args))  # type: ignore[arg-type]
    assert rig.state(request_id) == "PENDING"
    assert rig.uplink.submissions == []


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    Database(tmp_path / "v.db").close()
    raw = sqlite3.connect(tmp_path / "v.db")
    raw.execute("UPDATE versions SET version = 99")
    raw.commit()
    raw.close()
    with pytest.raises(TroubleError, match="version 99"):
        Database(tmp_path / "v.db")


def test_status_says_what_section_10_lists(rig: Rig) -> None:
    status = rig.vault.answers.status()
    assert json.dumps(status)
    assert {
        *("recording", "clock", "broker", "directory", "storage", "requests_enabled"),
        *("camera", "time_zone", "button", "faults"),
    } <= status.keys()


def test_each_start_is_logged_and_the_configuration_when_it_changed(rig: Rig) -> None:
    rig.restart()
    started = [entry for entry in rig.log() if entry["t"] in {"boot", "config"}]
    assert [entry["t"] for entry in started] == ["boot", "config", "boot"]


def test_the_log_is_signed_by_itself_every_hour(rig: Rig) -> None:
    rig.pass_s(3_700, step_s=60)
    size, _ = sqlite_log.size_and_root(rig.vault.db.tx)
    assert sqlite_log.latest_checkpoint(rig.vault.db.tx)[1] == size


# ---- the lamp says what a press would do now, and nothing has to happen for that


def test_the_lamp_follows_a_pairing_window_that_the_console_opened_and_time_closed(tmp_path: Path) -> None:
    rig = Rig(tmp_path, button="pin = 4\nlamp_pin = 5")
    rig.pass_s(700)
    assert rig.lamp() is Pattern.DARK
    rig.vault.phones.open_window()
    rig.pass_s(2, step_s=1)
    assert rig.lamp() is Pattern.PAIRING
    rig.pass_s(700)
    assert rig.lamp() is Pattern.DARK
    rig.close()


def test_the_lamp_of_a_request_goes_dark_when_quiet_hours_begin(tmp_path: Path) -> None:
    rig = Rig(tmp_path, button="pin = 4\nlamp_pin = 5")
    rig.pass_s(700)
    rig.record()
    assert rig.state(rig.ask()) == "PENDING"
    assert rig.lamp() is Pattern.GLOW
    local = dt.datetime.fromtimestamp(rig.clock.utc_ms() / 1_000, ZoneInfo(rig.config.device.time_zone))
    minute = local.hour * 60 + local.minute + 10
    rig.vault.house.settings = replace(rig.vault.house.settings, quiet_hours=(minute % 1440, (minute + 60) % 1440))
    rig.pass_s(660)
    assert rig.lamp() is Pattern.DARK
    rig.close()
