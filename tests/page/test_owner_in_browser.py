"""The owner's part, whole, in real Chromium on a phone-sized screen, against the real server."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from agent.core import ids, merkle, seal, strict_json
from agent.core.encoding import b64, unb64
from agent.core.errors import RefusedError
from agent.core.text import MAX_DIRECTORY_TEXT
from agent.page.port import Event
from tests.fakes.page_world import Agency, Platform, now_ms, request_payload, sign_request
from tests.page.owner_browser import OwnerBrowser

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.fakes.page_vault_state import Pending
    from tests.page.serving import Served

pytestmark = pytest.mark.browser


@pytest.fixture
def owner(served: Served, new_phone: Callable[[], Page]) -> OwnerBrowser:
    """A paired owner with two clips of the last half hour."""
    phone = OwnerBrowser(new_phone())
    phone.pair(served.pair_link())
    served.vault.record(now_ms() - 1_800_000)
    served.vault.record(now_ms() - 900_001, segments=2)
    return phone


def ask(served: Served, **changes: Any) -> Pending:
    return served.vault.receive(request_payload(served.vault.agency, **changes))


def opened_wraps(served: Served, consent: dict[str, Any]) -> list[bytes]:
    """What the agency gets: each wrap opened with its key, bound to request and segment."""
    return [
        seal.open_cek(
            served.vault.agency.enc,
            unb64(segment["wrap"]),
            seal.grant_info(ids.Sha256(consent["request"]["sha256"]), ids.Sha256(segment["sha256"])),
        )
        for segment in consent["segments"]
    ]


# -- pairing ------------------------------------------------------------------------------------------------


def test_pairing_keeps_keys_that_cannot_be_read_out_and_no_secret_in_the_address(
    served: Served, owner: OwnerBrowser
) -> None:
    assert [phone.name for phone in served.vault.phones_by_kid.values()] == ["Kitchen phone"]
    kept = owner.page.evaluate(
        """async () => {
          const { identity } = await import("/static/keys.js");
          const me = await identity();
          const tries = await Promise.allSettled(
            [me.signKey, me.openKey].map((key) => crypto.subtle.exportKey("jwk", key)));
          return { phone: me.phone, failed: tries.every((one) => one.status === "rejected") };
        }"""
    )
    assert kept["failed"]
    assert kept["phone"] in served.vault.phones_by_kid
    assert "#" not in owner.page.url


def test_a_doorbell_that_cannot_prove_the_link_is_not_trusted(
    served: Served, new_phone: Callable[[], Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = served.vault.pair

    def lying(body: dict[str, Any]) -> Any:
        answer = honest(body)
        assert isinstance(answer, dict)
        return answer | {"mac": body["mac"]}

    monkeypatch.setattr(served.vault, "pair", lying)
    page = new_phone()
    page.goto(served.pair_link())
    page.get_by_role("button", name="Pair this phone").click()
    expect(page.get_by_role("alert")).to_contain_text("Something else answered in the doorbell's place")
    page.goto(served.origin)
    expect(page.locator("main")).to_contain_text("Not paired yet")


def test_a_newer_link_in_the_same_tab_is_taken(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    page.goto(served.pair_link())
    page.get_by_role("button", name="Pair this phone").wait_for()
    OwnerBrowser(page).pair(served.pair_link())
    assert len(served.vault.phones_by_kid) == 1


def test_outside_the_window_pairing_says_what_to_do(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    link = served.pair_link()
    served.vault.reset()
    page.goto(link)
    page.get_by_role("button", name="Pair this phone").click()
    expect(page.get_by_role("alert")).to_contain_text("Pairing is not open right now")
    expect(page.get_by_role("alert")).to_contain_text("the link on the owner's card")


def test_a_second_phone_waits_with_the_number_that_the_first_one_shows(
    served: Served, owner: OwnerBrowser, new_phone: Callable[[], Page]
) -> None:
    second = OwnerBrowser(new_phone())
    second.pair(served.pair_link(), "Tablet")
    digits = second.page.locator(".digits").get_attribute("aria-label")
    owner.open("phones")
    owner.page.get_by_role("button", name="Let in").click()
    expect(owner.page.get_by_role("dialog").locator(".digits")).to_have_attribute("aria-label", digits or "")
    owner.page.get_by_role("button", name="Yes, it is the same").click()
    expect(owner.page.get_by_role("dialog")).to_have_count(0)
    assert [phone.state for phone in served.vault.phones_by_kid.values()] == ["admitted", "admitted"]
    expect(second.page.locator(".digits")).to_have_count(0)


def test_a_waiting_phone_sees_no_video_but_may_say_no(
    served: Served, owner: OwnerBrowser, new_phone: Callable[[], Page]
) -> None:
    request = ask(served)
    second = OwnerBrowser(new_phone())
    second.pair(served.pair_link(), "Tablet")
    second.open_request(request.payload["id"])
    expect(second.page.locator("main")).to_contain_text("it sees no video and can't share")
    expect(second.page.locator("#yes")).to_have_count(0)
    second.no()
    assert request.state == "DECLINED"
    owner.open_request(request.payload["id"])
    expect(owner.page.locator("main")).to_contain_text("Another of your phones said no")


def test_older_videos_are_handed_on_and_open_on_the_other_phone(
    served: Served, owner: OwnerBrowser, new_phone: Callable[[], Page]
) -> None:
    second = OwnerBrowser(new_phone())
    second.pair(served.pair_link(), "Tablet")
    owner.open("phones")
    owner.page.get_by_role("button", name="Let in").click()
    owner.page.get_by_role("button", name="Yes, it is the same").click()
    expect(owner.page.get_by_role("dialog")).to_have_count(0)
    second.open("clips")
    expect(second.page.locator("article.clip").first).to_contain_text("This phone can't open one of these videos")
    owner.page.get_by_role("button", name="Give older videos").click()
    owner.page.get_by_role("dialog").get_by_role("button", name="Give them").click()
    expect(owner.page.locator("#said")).to_contain_text("5 parts handed on")
    second.open("")
    second.open("clips")
    second.watch(0)


# -- request --------------------------------------------------------------------------------------------------


def test_a_request_shows_what_its_signatures_carry(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    main = owner.page.locator("main")
    for words in (
        "Example Police Department",
        "Signed by the agency and by Example platform",
        "Burglary",
        "A silver sedan was seen leaving a break-in.",
        "24-000002",
        "J. Rivera, badge 4711",
        "+1 555 0100",
        "Los Angeles time",
        "UTC",
        "Your camera is inside it.",
        "about 300 m by 300 m",
    ):
        expect(main).to_contain_text(words)
    expect(owner.page.locator("#yes")).to_be_disabled()
    assert owner.page.locator("input.choose-clip:checked").count() == 0


def test_what_the_doorbell_takes_from_the_directory_the_page_takes_too(
    served: Served, owner: OwnerBrowser
) -> None:
    name, endpoint = "Police" + "x" * (MAX_DIRECTORY_TEXT - 6), "up.1/" + "e" * 59
    request = ask(served, ep=endpoint)
    request.agency |= {"name": name, "endpoints": [endpoint], "contact": {"phone": "5" * 200, "web": "w" * 200}}
    request.platform |= {"name": name, "endpoints": {endpoint: request.platform["endpoints"]["ep1"]}}
    owner.open_request(request.payload["id"])
    expect(owner.page.locator(".asker h2")).to_have_text(name)
    assert owner.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    owner.choose_all()
    owner.yes()
    assert served.vault.consents[0]["ep"] == endpoint


def tampered(request: Pending, agency: Agency, platform: Platform) -> dict[str, Callable[[], None]]:
    """What a lying page could put into the answer, each by its name."""
    outer = strict_json.parse(request.raw, max_bytes=100_000)
    assert isinstance(outer, dict)
    stranger = Agency(id=agency.id, name=agency.name)

    def other_text() -> None:
        payload = request.payload | {"text": "Hand over everything"}
        request.raw = strict_json.dump(outer | {"payload": b64(strict_json.dump(payload))})

    def strangers_signature() -> None:
        request.raw = sign_request(request.payload, stranger, platform)

    def other_reply_key() -> None:
        payload = request.payload | {"enc_pub": b64(stranger.enc_pub)}
        request.raw = sign_request(payload, agency, platform)

    def misnamed_key() -> None:
        request.agency["sign"][0]["pub"] = stranger.file()["sign"][0]["pub"]

    def another_agencys_file() -> None:
        request.agency = stranger.file() | {"id": "us-ca-otherpd"}

    def suspended() -> None:
        request.agency["status"] = "suspended"

    def hidden_words_in_the_name() -> None:
        request.agency["name"] = "Police\u202eecilop"

    return {
        f.__name__: f
        for f in (
            other_text,
            strangers_signature,
            other_reply_key,
            misnamed_key,
            another_agencys_file,
            suspended,
            hidden_words_in_the_name,
        )
    }


@pytest.mark.parametrize(
    "name",
    [
        "other_text",
        "strangers_signature",
        "other_reply_key",
        "misnamed_key",
        "another_agencys_file",
        "suspended",
        "hidden_words_in_the_name",
    ],
)
def test_a_tampered_request_is_not_shown(served: Served, owner: OwnerBrowser, name: str) -> None:
    request = ask(served)
    tampered(request, served.vault.agency, served.vault.platform)[name]()
    owner.open_request(request.payload["id"])
    expect(owner.page.locator("main")).to_contain_text("This request can't be trusted")
    expect(owner.page.locator("#yes, #no, .asker")).to_have_count(0)


def test_another_request_under_this_id_is_not_shown(
    served: Served, owner: OwnerBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ask(served), ask(served, text="Another one")
    monkeypatch.setitem(served.vault.requests_by_id, first.payload["id"], second)
    owner.open_request(first.payload["id"])
    expect(owner.page.locator("main")).to_contain_text("This request can't be trusted")


def test_changed_agency_keys_are_a_warning_that_must_be_answered_before_a_yes(
    served: Served, owner: OwnerBrowser
) -> None:
    owner.open_request(ask(served).payload["id"])
    expect(owner.page.locator("main")).to_contain_text("It is the first of theirs that you open on this phone.")
    served.vault.agency = Agency()
    request = ask(served)
    owner.open_request(request.payload["id"])
    warning = owner.page.locator(".notice.warn")
    expect(warning).to_contain_text("This agency's keys have changed")
    owner.choose_all()
    owner.page.locator("#yes").click()
    expect(owner.page.get_by_role("dialog")).to_have_count(0)
    assert request.state == "PENDING"
    warning.get_by_label("I have made sure.").check()
    owner.yes()
    assert request.state == "GRACE"
    assert opened_wraps(served, served.vault.consents[0]) == [stored.cek for stored in served.vault.shelf]


# -- deciding ---------------------------------------------------------------------------------------------------


def test_a_yes_gives_the_agency_exactly_the_chosen_keys(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_clip(1)
    owner.yes()
    expect(owner.page.locator("main")).to_contain_text("Sending starts in")
    consent = served.vault.consents[0]
    assert consent["decision"] == "share"
    assert consent["contact"] is None
    shelf = {stored.meta.id: stored for stored in served.vault.shelf}
    named = [shelf[segment["id"]] for segment in consent["segments"]]
    assert [stored.meta.n for stored in named] == [0, 1]
    assert opened_wraps(served, consent) == [stored.cek for stored in named]
    assert request.state == "GRACE"


def test_single_parts_can_be_chosen(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    card = owner.clip_cards().nth(0)
    card.get_by_text("Choose parts of it").click()
    card.locator(".chip input").nth(1).check()
    expect(card.locator("input.choose-clip")).to_have_js_property("indeterminate", value=True)
    owner.yes()
    assert [segment["id"] for segment in served.vault.consents[0]["segments"]] == [served.vault.shelf[1].meta.id]


def test_contact_details_go_sealed_and_only_when_filled_in(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_clip(0)
    owner.page.get_by_text("Let them contact you").click()
    owner.page.get_by_label("Your name").fill("Alex Rivera")
    owner.page.get_by_label("Phone", exact=True).fill("+1 555 0199")
    owner.yes()
    consent = served.vault.consents[0]
    info = seal.contact_info(ids.Sha256(consent["request"]["sha256"]))
    plain = seal.hpke_open(served.vault.agency.enc, unb64(consent["contact"]), info)
    assert json.loads(plain) == {"name": "Alex Rivera", "phone": "+1 555 0199"}


def test_the_statement_says_what_leaves_and_going_back_sends_nothing(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_all()
    owner.page.locator("#yes").click()
    dialog = owner.page.get_by_role("dialog")
    for words in ("2 videos, 10 seconds in all", "Example Police Department and no one else", "these 5 parts"):
        expect(dialog).to_contain_text(words)
    dialog.get_by_role("button", name="Go back").click()
    expect(dialog).to_have_count(0)
    assert served.vault.consents == []
    assert request.state == "PENDING"


def test_a_no_is_signed_and_can_be_changed_by_the_same_phone(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.no()
    expect(owner.page.locator("main")).to_contain_text("You said no")
    decline = served.vault.consents[0]
    assert (decline["decision"], decline["segments"], decline["prev"]) == ("decline", [], None)
    owner.choose_all()
    owner.yes()
    assert served.vault.consents[1]["prev"] == decline["id"]
    assert request.state == "GRACE"


def test_stop_during_grace_takes_the_yes_back(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_all()
    owner.yes()
    expect(owner.page.locator(".seconds")).to_have_text(re.compile(r"^(60|5\d)$"))
    owner.stop()
    assert request.state == "PENDING"
    expect(owner.page.locator("#no")).to_be_visible()


def test_with_a_button_the_page_asks_to_press_it(served: Served, owner: OwnerBrowser) -> None:
    served.vault.needs_button = True
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_all()
    owner.yes()
    expect(owner.page.locator("main")).to_contain_text("Press the button inside your home")
    served.vault.press(request.payload["id"])
    expect(owner.page.locator("main")).to_contain_text("Sending starts in")


def test_progress_and_receipt_arrive_by_themselves(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_all()
    owner.yes()
    served.vault.end_grace(request.payload["id"])
    expect(owner.page.locator("progress")).to_be_visible()
    served.vault.tell_progress(request.payload["id"], 3, 4)
    expect(owner.page.locator("main")).to_contain_text("75 %")
    served.vault.finish_upload(request.payload["id"])
    expect(owner.page.locator(".notice.good")).to_contain_text("Delivered")
    expect(owner.page.locator("main")).to_contain_text("2 videos, 10 seconds")


def test_a_nonce_that_ran_out_is_replaced_without_bothering_the_owner(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    served.vault.forget_nonces()
    owner.choose_all()
    owner.yes()
    assert request.state == "GRACE"


def test_a_refusal_is_said_in_plain_words(
    served: Served, owner: OwnerBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RefusedError("C_RATE")

    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_all()
    monkeypatch.setattr(served.vault, "decision", refuse)
    owner.page.locator("#yes").click()
    owner.page.get_by_role("button", name="Yes, share this").click()
    expect(owner.page.get_by_role("dialog")).to_contain_text("as often as your limit for one day allows")
    assert request.state == "PENDING"


# -- videos -----------------------------------------------------------------------------------------------------


def test_a_clip_plays_in_the_browser_from_sealed_parts(served: Served, owner: OwnerBrowser) -> None:
    owner.open("clips")
    video = owner.watch(1)
    seen = video.evaluate("v => ({ end: v.buffered.end(0), ranges: v.buffered.length, w: v.videoWidth })")
    assert seen["ranges"] == 1
    assert seen["end"] == pytest.approx(6.0, abs=0.01)
    assert seen["w"] == 640
    owner.page.wait_for_function("v => v.currentTime > 0.3", arg=video.element_handle())


def test_without_media_source_the_joined_film_plays(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    page.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource;")
    phone = OwnerBrowser(page)
    phone.pair(served.pair_link())
    served.vault.record(now_ms() - 600_000)
    phone.open("clips")
    video = phone.watch(0)
    assert video.evaluate("v => v.duration") == pytest.approx(6.0, abs=0.01)


def test_a_changed_part_is_not_played(served: Served, owner: OwnerBrowser) -> None:
    stored = served.vault.shelf[-1]
    stored.file = stored.file[:-1] + bytes([stored.file[-1] ^ 1])
    owner.open("clips")
    card = owner.page.locator("article.clip").first
    card.get_by_role("button", name="Watch").click()
    expect(card).to_contain_text("damaged or was changed")


def test_what_was_recorded_before_the_clock_was_set_is_shown_at_its_mapped_time_and_signed_as_recorded(
    served: Served, owner: OwnerBrowser
) -> None:
    recorded_ms, mapped_ms = 1_000_000_000_000, now_ms() - 1_200_000
    stored = served.vault.record(recorded_ms, mapped_to_ms=mapped_ms)
    zone = ZoneInfo("America/Los_Angeles")
    first, last = (
        datetime.fromtimestamp(ms / 1000, zone).strftime("%H:%M:%S") for ms in (mapped_ms, mapped_ms + 6_000)
    )
    owner.open("clips")
    card = owner.page.locator("article.clip").nth(1)
    expect(card.locator("h3")).to_have_text(f"{first} to {last}")
    expect(card).to_contain_text("The doorbell was not sure of the time then.")
    expect(owner.page.locator("main")).not_to_contain_text("September")
    request = ask(served)
    owner.open_request(request.payload["id"])
    expect(owner.clip_cards().nth(1).locator("h3")).to_have_text(f"{first} to {last}")
    owner.choose_clip(1)
    owner.page.locator("#yes").click()
    dialog = owner.page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"{first} to {last}")
    dialog.get_by_role("button", name="Go back").click()
    owner.yes()
    expect(owner.page.locator("main")).to_contain_text(f"{first} to {last}")
    signed = [(segment["id"], segment["start_ms"]) for segment in served.vault.consents[0]["segments"]]
    assert signed == [(one.meta.id, recorded_ms + 2_000 * n) for n, one in enumerate(stored)]


def test_keep_and_delete_are_signed_actions(served: Served, owner: OwnerBrowser) -> None:
    owner.open("clips")
    clip = served.vault.shelf[-1].meta.clip
    card = owner.page.locator("article.clip").first
    card.get_by_role("button", name="Keep").click()
    asked = owner.page.get_by_role("dialog")
    expect(asked).to_contain_text("It then stays until you delete it")
    asked.get_by_role("button", name="Go back").click()
    assert served.vault.actions == []
    card.get_by_role("button", name="Keep").click()
    asked.get_by_role("button", name="Keep it").click()
    expect(owner.page.locator("#said")).to_contain_text("Kept until you delete it")
    card.get_by_role("button", name="Delete").click()
    owner.page.get_by_role("button", name="Delete it").click()
    expect(owner.page.locator("article.clip")).to_have_count(1)
    assert [(action["verb"], action["args"]) for action in served.vault.actions] == [
        ("keep", {"clip": clip}),
        ("delete", {"clip": clip}),
    ]


# -- the rest -----------------------------------------------------------------------------------------------------


def test_settings_are_signed_and_read_back_from_the_log(served: Served, owner: OwnerBrowser) -> None:
    owner.open("settings")
    owner.page.get_by_label("Agencies may ask me").uncheck()
    owner.page.get_by_label("Example Police Department").uncheck()
    owner.page.get_by_label("How far back").select_option("7")
    owner.page.get_by_label("From").fill("22:00")
    owner.page.get_by_label("to", exact=True).fill("06:30")
    owner.page.get_by_role("button", name="Save").click()
    settings = served.vault.settings
    for _ in range(100):
        if len(served.vault.actions) == 4:
            break
        owner.page.wait_for_timeout(50)
    assert settings["requests_enabled"] is False
    assert settings["muted_agencies"] == [served.vault.agency.id]
    assert (settings["max_lookback_days"], settings["quiet_hours"]) == (7, [1320, 390])
    owner.open("more")
    owner.open("settings")
    expect(owner.page.get_by_label("Agencies may ask me")).not_to_be_checked()
    expect(owner.page.get_by_label("Example Police Department")).not_to_be_checked()
    expect(owner.page.get_by_label("How far back")).to_have_value("7")
    expect(owner.page.get_by_label("From")).to_have_value("22:00")


def test_quiet_hours_are_both_times_or_none(served: Served, owner: OwnerBrowser) -> None:
    served.vault.settings["quiet_hours"] = kept = [1320, 390]
    served.vault.note("settings", quiet_hours=kept)
    owner.open("settings")
    save = owner.page.get_by_role("button", name="Save")
    start, end = owner.page.get_by_label("From"), owner.page.get_by_label("to", exact=True)
    for times, words in (
        (("22:00", ""), "fill in both times"),
        (("", "06:30"), "fill in both times"),
        (("22:00", "22:00"), "the two times are the same"),
    ):
        start.fill(times[0])
        end.fill(times[1])
        save.click()
        expect(owner.page.get_by_role("alert").filter(has_text=words)).to_be_visible()
        assert served.vault.actions == []
        assert served.vault.settings["quiet_hours"] == kept
    start.fill("")
    end.fill("06:30")
    start.press("1")  # a time that is half typed is no empty one
    end.fill("")
    save.click()
    expect(owner.page.get_by_role("alert").filter(has_text="fill in both times")).to_be_visible()
    start.fill("")
    save.click()
    expect(owner.page.locator("#said")).to_contain_text("Saved")
    assert served.vault.settings["quiet_hours"] is None


def test_older_log_entries_that_do_not_come_are_said_and_can_be_asked_for_again(
    served: Served, owner: OwnerBrowser
) -> None:
    for _ in range(150):
        served.vault.note("boot")
    owner.open("log")
    entries = owner.page.locator(".log li")
    expect(entries).to_have_count(100)
    owner.page.route("**/api/log*", lambda route: route.abort())
    older = owner.page.get_by_role("button", name="Show older entries")
    older.click()
    expect(owner.page.locator("#said")).to_contain_text("can't be reached")
    owner.page.unroute("**/api/log*")
    older.click()
    expect(entries).to_have_count(len(served.vault.log_entries))
    expect(older).to_be_hidden()


def test_turning_requests_on_asks_first(served: Served, owner: OwnerBrowser) -> None:
    served.vault.settings["requests_enabled"] = False
    owner.open("settings")
    owner.page.get_by_label("Agencies may ask me").click()
    owner.page.get_by_role("button", name="Go back").click()
    expect(owner.page.get_by_label("Agencies may ask me")).not_to_be_checked()
    assert served.vault.actions == []
    owner.page.get_by_label("Agencies may ask me").click()
    owner.page.get_by_role("button", name="Yes, let them ask").click()
    expect(owner.page.locator("#said")).to_contain_text("Saved")
    assert served.vault.settings["requests_enabled"] is True


def test_a_log_that_went_back_is_noticed(served: Served, owner: OwnerBrowser) -> None:
    for n in range(3):
        served.vault.note("segment", id=ids.new_id(), i=n)
    owner.open("log")
    expect(owner.page.locator(".notice.good")).to_contain_text("The log fits")
    served.vault.log_entries = served.vault.log_entries[:-2]
    owner.open("more")
    owner.open("log")
    expect(owner.page.locator(".notice.bad")).to_contain_text("Entries are missing")
    owner.open("")
    expect(owner.page.locator(".notice.bad")).to_contain_text("The doorbell's log does not fit")


def test_a_log_with_other_entries_is_noticed(served: Served, owner: OwnerBrowser) -> None:
    owner.open("log")
    served.vault.log_entries[0] = served.vault.log_entries[0].replace(b"boot", b"loot")
    assert merkle.leaf_hash(served.vault.log_entries[0])
    owner.open("more")
    owner.open("log")
    expect(owner.page.locator(".notice.bad")).to_contain_text("Entries were exchanged")


def test_home_says_plainly_what_is_wrong(served: Served, owner: OwnerBrowser) -> None:
    expect(owner.page.locator("main")).to_contain_text("Your doorbell is recording")
    served.vault.is_recording, served.vault.faults = False, ["camera-missing"]
    served.vault.tell(Event("status", {}))
    expect(owner.page.locator("main")).to_contain_text("Your doorbell is not recording")
    expect(owner.page.locator("main")).to_contain_text("The camera does not answer")


def test_a_new_request_appears_by_itself(served: Served, owner: OwnerBrowser) -> None:
    expect(owner.page.locator("main")).to_contain_text("Nothing waits for you.")
    ask(served)
    expect(owner.page.locator("main")).to_contain_text("Waiting for you")


def test_markup_in_foreign_words_stays_words(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served, text="<img src=x onerror=alert(1)><b>bold</b>")
    owner.open_request(request.payload["id"])
    expect(owner.page.locator(".quote")).to_have_text("<img src=x onerror=alert(1)><b>bold</b>")
    assert owner.page.locator("main img, main b").count() == 0


def test_an_unpaired_phone_is_told_so(served: Served, owner: OwnerBrowser) -> None:
    served.vault.phones_by_kid.clear()
    served.vault.sessions.clear()
    owner.page.reload()
    expect(owner.page.locator("main")).to_contain_text("The doorbell does not know this phone any more")


def test_a_browser_without_the_needed_keys_is_told_so(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    page.add_init_script("crypto.subtle.generateKey = () => Promise.reject(new Error('NotSupported'));")
    page.goto(served.pair_link())
    expect(page.locator("main")).to_contain_text("This browser is too old")


def test_nothing_is_asked_from_anywhere_else(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(re.sub(r"^(\w+://[^/]+).*", r"\1", request.url)))
    phone = OwnerBrowser(page)
    phone.pair(served.pair_link())
    served.vault.record(now_ms() - 600_000)
    request = ask(served)
    for path in ("requests", "clips", "phones", "settings", "log", "alerts", f"request/{request.payload['id']}"):
        phone.open(path)
    assert {origin for origin in asked if not origin.startswith("blob:")} == {served.origin}
