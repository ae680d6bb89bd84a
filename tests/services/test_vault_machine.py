"""The vault against everything at once: hypothesis drives a house, a model of it says what may leave.

Invariants, checked at the very call that hands a descriptor or a submission to uplink:

    V1  no byte of a segment is handed to uplink without a live, matching, signed consent of a current approver,
        after its whole grace time in this boot
    V2  a request that the owner stopped before the hand-over never reaches a submission
    V3  the log only grows, and a request's states in it follow the table
"""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from agent.consent.button import Gesture
from agent.consent.consent_form import Channel, Decision
from agent.consent.states import TABLE, State
from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from agent.core.ids import Kid
from tests.fakes.vault_rig import FakePhone, FakeUplink, Rig

GRACE_S = 60
STEPS, EXAMPLES = 50, 400  # 20,000 steps
_RAM = Path("/dev/shm")


@dataclass
class Approval:
    """What the model knows of a share that stands."""

    approver: Kid | None  # None: the console
    segments: frozenset[str]
    since_ns: int


class WatchedUplink(FakeUplink):
    """Asks the model before it takes anything."""

    machine: "HouseMachine"

    def call_async(self, verb: str, args: Any, on_reply: Any, **more: Any) -> int:
        if verb == "upload":
            self.machine.may_leave(args["request"], args["segment"])
        elif verb == "submit":
            self.machine.may_be_submitted(args["request"])
        return super().call_async(verb, args, on_reply, **more)


class HouseMachine(RuleBasedStateMachine):
    """A house with up to three phones, its owner, a platform and bad luck."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=_RAM if _RAM.is_dir() else None))
        self.approved: dict[str, Approval] = {}
        self.handed_over: set[str] = set()
        self.stopped: set[str] = set()
        self.log_size = 0

    @initialize(button=st.booleans())
    def move_in(self, button: bool) -> None:
        self.has_button = button
        self.rig = Rig(self.folder, button="pin = 17" if button else "", consent="daily_approvals = 20")
        uplink = WatchedUplink()
        uplink.machine, uplink.receipt = self, self.rig.uplink.receipt
        self.rig.uplink = uplink
        self.rig.connect()
        self.phones = [self.rig.phone]
        self.admitted = {self.rig.phone.kid}
        self.rig.record()

    def teardown(self) -> None:
        if hasattr(self, "rig"):
            self.rig.close()
        shutil.rmtree(self.folder)

    # ---- what the model says

    def may_leave(self, request_id: str, segment: str) -> None:
        approval = self.approved.get(request_id)
        assert approval is not None, "V1: nothing was approved"
        assert segment in approval.segments, "V1: this segment was not"
        assert approval.approver is None or approval.approver in self.admitted, "V1: not by a current approver"
        assert self.rig.clock.boot_ns() - approval.since_ns >= GRACE_S * 10**9, "V1: in the grace time"

    def may_be_submitted(self, request_id: str) -> None:
        assert request_id in self.approved or request_id in self.handed_over, "V2: nothing stands"
        assert request_id not in self.stopped, "V2: it was stopped"
        self.handed_over.add(request_id)

    def _follow(self, request_id: str, envelope: bytes | None, approver: Kid | None) -> None:
        """Note an approval, if the vault has just begun its grace time."""
        if self.rig.state(request_id) not in {"GRACE", "CONFIRMING"}:
            return
        if envelope is None:
            row = self.rig.vault.decisions._requests.row(request_id)
            form = self.rig.vault.decisions.standing_consent(row).form
            named = frozenset(str(grant.segment.id) for grant in form.grants)
        else:
            payload = json.loads(unb64(json.loads(envelope)["payload"]))
            named = frozenset(one["id"] for one in payload["segments"])
        self.approved[request_id] = Approval(approver, named, self.rig.clock.boot_ns())
        self.stopped.discard(request_id)

    def _withdrawn(self, request_id: str) -> None:
        self.approved.pop(request_id, None)
        if request_id not in self.handed_over:
            self.stopped.add(request_id)

    # ---- what the world does

    @rule()
    def somebody_walks_by(self) -> None:
        self.rig.record()

    @rule(target=requests)
    def a_request_arrives(self) -> Any:
        request_id = self.rig.ask()
        return request_id if self.rig.state(request_id) == "PENDING" else multiple()

    @rule(request_id=requests)
    def it_is_cancelled(self, request_id: str) -> None:
        before = self.rig.state(request_id)
        self.rig.deliver("can", self.rig.platform.cancel(request_id, self.rig.clock.utc_ms() // 1_000))  # type: ignore[arg-type]
        if before != "HANDED_OVER" and self.rig.state(request_id) == "CANCELLED":
            self._withdrawn(request_id)

    @rule(seconds=st.sampled_from([1, 10, 30, 59, 61, 130, 2_000, 90_000]))
    def time_goes_by(self, seconds: int) -> None:
        self.rig.pass_s(seconds, step_s=max(5.0, seconds / 40))

    @rule(days=st.sampled_from([-3, -0.5, 0.5, 3]))
    def the_clock_jumps(self, days: float) -> None:
        self.rig.clock.jump_s(days * 86_400)
        self.rig.pass_s(3)

    @rule()
    def the_owner_confirms_the_time(self) -> None:
        self.rig.vault.time.confirmed()

    @rule()
    def the_power_goes(self) -> None:
        self.rig.restart()
        for request_id, approval in self.approved.items():
            if self.rig.state(request_id) == "GRACE":
                approval.since_ns = self.rig.clock.boot_ns()

    @rule(fails=st.booleans(), holds_back=st.booleans())
    def the_network_changes(self, fails: bool, holds_back: bool) -> None:
        self.rig.uplink.fails, self.rig.uplink.holds_back = fails, holds_back
        if not holds_back:
            self.rig.uplink.let_go()
            self.rig.settle()

    @rule(reachable=st.booleans())
    def the_directory_comes_and_goes(self, reachable: bool) -> None:
        self.rig.platform.is_reachable = reachable

    @rule(status=st.sampled_from(["active", "suspended"]))
    def the_platform_changes_the_agency(self, status: str) -> None:
        self.rig.platform.status = status
        self.rig.platform.version += 1
        self.rig.vault.directory.refresh(lambda _: None)
        self.rig.settle()
        for request_id in list(self.approved):
            if self.rig.state(request_id) == "CANCELLED":
                self._withdrawn(request_id)

    # ---- what the owner does

    @rule(request_id=requests, which=st.integers(0, 2), replay=st.booleans())
    def a_phone_shares(self, request_id: str, which: int, replay: bool) -> None:
        phone = self.phones[which % len(self.phones)]
        if phone.kid not in self.admitted or self.rig.state(request_id) not in {"PENDING", "DECLINED"}:
            return
        envelope = phone.consent(self.rig, request_id)
        result = self.rig.decide(request_id, envelope)
        if isinstance(result, State):
            self._follow(request_id, envelope, phone.kid)
        if replay:
            again = self.rig.decide(request_id, envelope)
            assert isinstance(again, RefusedError), "a consent was taken twice"

    @rule(request_id=requests)
    def the_console_shares(self, request_id: str) -> None:
        answers: list[Any] = []
        decide = self.rig.vault.decisions.decide_here
        decide(request_id, Decision.SHARE, Channel.CONSOLE, None, answers.append)
        self.rig.settle()
        if isinstance(answers[0], State):
            self._follow(request_id, None, None)

    @rule(request_id=requests, which=st.integers(0, 2))
    def a_phone_declines(self, request_id: str, which: int) -> None:
        phone = self.phones[which % len(self.phones)]
        if self.rig.vault.house.phones[phone.kid].state.value == "unpaired":
            return
        result = self.rig.decide(request_id, phone.consent(self.rig, request_id, "decline"))
        if isinstance(result, State):
            self._withdrawn(request_id)

    @rule(request_id=requests)
    def somebody_stops_it(self, request_id: str) -> None:
        try:
            self.rig.vault.decisions.stop(request_id)
        except RefusedError:
            return
        self._withdrawn(request_id)

    @precondition(lambda self: self.has_button)
    @rule()
    def the_button_is_pressed(self) -> None:
        before = self.rig.vault.requests.waiting()
        self.rig.vault.decisions.gesture(Gesture.PRESS)
        for request_id, state in before.items():
            now = self.rig.state(request_id)
            if state is State.GRACE and now == "PENDING":
                self._withdrawn(request_id)
            elif state is State.CONFIRMING and now == "GRACE":
                self.approved[request_id].since_ns = self.rig.clock.boot_ns()

    @precondition(lambda self: len(self.phones) < 3)
    @rule()
    def a_phone_is_paired(self) -> None:
        phone = FakePhone()
        self.rig.pair(phone)
        self.phones.append(phone)

    @rule(which=st.integers(0, 2))
    def a_phone_is_admitted(self, which: int) -> None:
        phone = self.phones[which % len(self.phones)]
        if self.rig.vault.house.phones[phone.kid].state.value == "waiting":
            self.rig.vault.phones.admit(phone.kid)
            self.admitted.add(phone.kid)

    @rule(which=st.integers(0, 2))
    def a_phone_is_unpaired(self, which: int) -> None:
        phone = self.phones[which % len(self.phones)]
        if self.rig.vault.house.phones[phone.kid].state.value != "unpaired":
            self.rig.vault.phones.unpair(phone.kid)
            self.admitted.discard(phone.kid)

    @rule(request_id=consumes(requests))
    def a_request_is_forgotten_by_the_test(self, request_id: str) -> None:
        assert self.rig.state(request_id)

    # ---- invariants

    @invariant()
    def the_log_grows_and_follows_the_table(self) -> None:
        if not hasattr(self, "rig"):
            return
        entries = self.rig.log()
        assert len(entries) >= self.log_size, "V3: the log shrank"
        now: dict[str, str] = {}
        for entry in entries:
            if entry["t"] == "state":
                before = State(now.get(entry["request"], "UNSEEN"))
                reachable = {after for (source, _), after in TABLE.items() if source is before}
                quiet = {State.PENDING} if before is State.UNSEEN else set()
                assert State(entry["to"]) in reachable | quiet, "V3: a step that the table does not have"
                now[entry["request"]] = entry["to"]
        self.log_size = len(entries)


TestHouse = HouseMachine.TestCase
TestHouse.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
