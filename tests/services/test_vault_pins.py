"""The button and the lamp of the real vault, on pins that are not there."""

import datetime as dt
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from agent.consent.button import Gesture, Pattern
from agent.consent.states import State
from agent.core.encoding import unb64
from agent.services.vault.loop import MAX_POSTED
from tests.fakes.vault_rig import GRACE_S, Rig


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


def test_a_press_while_the_vault_has_too_much_to_do_is_not_lost(tmp_path: Path) -> None:
    rig = Rig(tmp_path, button="pin = 4")
    request_id = rig.ask_the_owner()
    assert rig.share(request_id) is State.CONFIRMING
    for wanted in ("GRACE", "PENDING"):  # the first press confirms, the second stops
        for _ in range(MAX_POSTED):
            rig.vault.loop.post(lambda: None)
        rig.press(4)
        time.sleep(0.1)  # the contact's thread finds no room
        for _ in range(500):
            rig.settle()
            if rig.state(request_id) == wanted:
                break
            time.sleep(0.01)
        assert rig.state(request_id) == wanted
    rig.close()


def test_where_a_button_is_wired_a_share_waits_for_the_press(tmp_path: Path) -> None:
    rig = Rig(tmp_path, button="pin = 17")
    rig.record()
    request_id = rig.ask()
    assert rig.share(request_id) is State.CONFIRMING
    rig.pass_s(125)
    assert rig.state(request_id) == "PENDING"
    rig.share(request_id)
    rig.vault.decisions.gesture(Gesture.PRESS)
    assert rig.state(request_id) == "GRACE"
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "DELIVERED"
    submission: Any = json.loads(unb64(json.loads(rig.uplink.submissions[0])["payload"]))
    assert len(submission["consents"][0]["signatures"]) == 2
    assert submission["button_pub"] is not None
    rig.close()


def test_a_press_in_the_grace_time_stops(tmp_path: Path) -> None:
    rig = Rig(tmp_path, button="pin = 17")
    rig.record()
    request_id = rig.ask()
    rig.share(request_id)
    rig.vault.decisions.gesture(Gesture.PRESS)
    rig.pass_s(10)
    rig.vault.decisions.gesture(Gesture.PRESS)
    assert rig.state(request_id) == "PENDING"
    rig.close()
