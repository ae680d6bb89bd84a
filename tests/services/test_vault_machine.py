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
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.consent.button import Gesture
from agent.consent.consent_form import Decision
from agent.consent.states import TABLE, State
from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from agent.core.ids import Kid
from tests.fakes.vault_rig import FakePhone, FakeUplink, Rig

GRACE_S = 60
STEPS, EXAMPLES = 100, 200  # 20,000 steps
LUCK = (
    *("all is well", "all is well", "all is well", "power cut", "a day goes by"),
    *("clock +3 d", "clock -3 d", "clock +12 h", "no directory", "suspended", "uploads fail", "uploads hang"),
)
LIVE = frozenset({"PENDING", "CONFIRMING", "GRACE", "DECLINED", "UPLOADING", "HANDED_OVER"})
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

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=_RAM if _RAM.is_dir() else None))
        self.approved: dict[str, Approval] = {}
        self.handed_over: set[str] = set()
        self.stopped: set[str] = set()
        self.log_size = 0
        self.requests: list[str] = []

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

    # ---- what the world does (few rules, many cases: a rule that is left out must not take the others' point)

    @rule(what=st.sampled_from(["request", "request", "1", "10", "30", "59", "61", "61", "130", "2000", "cancel"]))
    def the_world_goes_on(self, what: str) -> None:
        if what == "request":
            self._request()
        elif what == "cancel":
            if self.requests:
                self._cancel(self.requests[0])
        else:
            self.rig.pass_s(float(what), step_s=max(5.0, float(what) / 40))

    def _request(self) -> None:
        self.rig.record()
        request_id = self.rig.ask()
        if self.rig.state(request_id) == "PENDING":
            self.requests.append(request_id)

    def _cancel(self, request_id: str) -> None:
        before = self.rig.state(request_id)
        self.rig.deliver("can", self.rig.platform.cancel(request_id, self.rig.clock.utc_ms() // 1_000))  # type: ignore[arg-type]
        if before != "HANDED_OVER" and self.rig.state(request_id) == "CANCELLED":
            self._withdrawn(request_id)

    @rule(luck=st.sampled_from(LUCK))
    def something_happens(self, luck: str) -> None:
        jumps = {"clock +3 d": 3.0, "clock -3 d": -3.0, "clock +12 h": 0.5}
        if luck in jumps:
            self.rig.clock.jump_s(jumps[luck] * 86_400)
            self.rig.pass_s(3)
        elif luck == "a day goes by":
            self.rig.pass_s(90_000, step_s=3_000)
        elif luck == "no directory":
            self.rig.platform.is_reachable = False
        elif luck == "suspended":
            self._publish("suspended")
        elif luck == "power cut":
            self._restart()
        elif luck == "all is well":
            self._heal()
        else:
            self.rig.uplink.fails, self.rig.uplink.holds_back = luck == "uploads fail", luck == "uploads hang"

    def _restart(self) -> None:
        self.rig.restart()
        for request_id, approval in self.approved.items():
            if self.rig.state(request_id) == "GRACE":
                approval.since_ns = self.rig.clock.boot_ns()

    def _heal(self) -> None:
        self.rig.platform.is_reachable = True
        self.rig.uplink.fails = self.rig.uplink.holds_back = False
        self.rig.uplink.let_go()
        self.rig.connect()  # an uplink that was silent for too long was hung up on
        self._publish("active")
        self.rig.vault.time.confirmed()
        self.rig.settle()

    def _publish(self, status: str) -> None:
        self.rig.platform.status = status
        self.rig.platform.version += 1
        self.rig.vault.directory.refresh(lambda _: None)
        self.rig.settle()
        for request_id in list(self.approved):
            if self.rig.state(request_id) == "CANCELLED":
                self._withdrawn(request_id)

    # ---- what the owner does

    def _pick(self, newest: int) -> str | None:
        """Return a request that can still change, most often; if there is none, let one arrive first."""
        live = [one for one in self.requests if self.rig.state(one) in LIVE]
        if not live:
            self._heal()
            self._request()
            live = self.requests[-1:]
        chosen = live if newest < 9 else self.requests
        return chosen[-1 - newest % len(chosen)] if chosen else None

    @rule(
        what=st.sampled_from(["share", "share", "share", "replay", "console", "decline", "stop", "press"]),
        newest=st.integers(0, 9),
        which=st.sampled_from([0, 0, 0, 1, 2]),
    )
    def the_owner_decides(self, what: str, newest: int, which: int) -> None:
        request_id = self._pick(newest)
        if request_id is None:
            return
        phone = self.phones[which % len(self.phones)]
        if what in {"share", "replay"}:
            self._share(request_id, phone, replay=what == "replay")
        elif what == "console":
            self._console(request_id)
        elif what == "decline":
            self._decline(request_id, phone)
        elif what == "stop":
            self._stop(request_id)
        elif self.has_button:
            self._press()

    def _share(self, request_id: str, phone: FakePhone, *, replay: bool) -> None:
        if phone.kid not in self.admitted:
            return
        row = self.rig.vault.house.phones[phone.kid]
        declined: Any = self.rig.vault.answers.request(request_id, row).get("declined")
        envelope = phone.consent(self.rig, request_id, prev=None if declined is None else declined["id"])
        result = self.rig.decide(request_id, envelope)
        if isinstance(result, State):
            self._follow(request_id, envelope, phone.kid)
        if replay:
            again = self.rig.decide(request_id, envelope)
            assert isinstance(again, RefusedError), "a consent was taken twice"

    def _console(self, request_id: str) -> None:
        answers: list[Any] = []
        self.rig.vault.decisions.decide_at_console(request_id, Decision.SHARE, answers.append)
        self.rig.settle()
        if isinstance(answers[0], State):
            self._follow(request_id, None, None)

    def _decline(self, request_id: str, phone: FakePhone) -> None:
        if self.rig.vault.house.phones[phone.kid].state.value == "unpaired":
            return
        result = self.rig.decide(request_id, phone.consent(self.rig, request_id, "decline"))
        if isinstance(result, State):
            self._withdrawn(request_id)

    def _stop(self, request_id: str) -> None:
        try:
            self.rig.vault.decisions.stop(request_id)
        except RefusedError:
            return
        self._withdrawn(request_id)

    def _press(self) -> None:
        before = self.rig.vault.requests.waiting()
        self.rig.vault.decisions.gesture(Gesture.PRESS)
        for request_id, state in before.items():
            now = self.rig.state(request_id)
            if state is State.GRACE and now == "PENDING":
                self._withdrawn(request_id)
            elif state is State.CONFIRMING and now == "GRACE":
                self.approved[request_id].since_ns = self.rig.clock.boot_ns()

    @rule(what=st.sampled_from(["pair", "admit", "admit", "unpair"]), which=st.integers(0, 2))
    def phones_come_and_go(self, what: str, which: int) -> None:
        if what == "pair" and len(self.phones) < 3:
            self.phones.append(FakePhone())
            self.rig.pair(self.phones[-1])
        phone = self.phones[which % len(self.phones)]
        state = self.rig.vault.house.phones[phone.kid].state.value
        if what == "admit" and state == "waiting":
            self.rig.vault.phones.admit(phone.kid)
            self.admitted.add(phone.kid)
        elif what == "unpair" and state != "unpaired" and which > 0:
            self.rig.vault.phones.unpair(phone.kid)
            self.admitted.discard(phone.kid)

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
