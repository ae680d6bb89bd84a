"""What the vault says of itself: the JSON of protocol section 10, shared by the page's and the console's verbs."""

from agent.buffer import sqlite_store
from agent.buffer.sqlite_store import Stored
from agent.consent import sqlite_ledger as ledger
from agent.consent import sqlite_log
from agent.consent.phones import PhoneState
from agent.consent.sqlite_ledger import RequestRow
from agent.consent.sqlite_phones import PhoneRow
from agent.core.encoding import b64
from agent.core.errors import RefusedError
from agent.core.ids import Kid
from agent.core.merkle import consistency_proof
from agent.core.strict_json import Json, parse
from agent.services.vault.arrivals_desk import ArrivalsDesk
from agent.services.vault.decisions_desk import DecisionsDesk
from agent.services.vault.directory_desk import DirectoryDesk
from agent.services.vault.house import House
from agent.services.vault.recorder_desk import RecorderDesk
from agent.services.vault.requests_desk import RequestsDesk
from agent.services.vault.store_desk import StoreDesk
from agent.services.vault.uplink_desk import UplinkDesk

MAX_KEPT_BYTES = 1 << 20


class Answers:
    """Puts together what is asked for.

    Nothing durable changes. A phone that looks at a request gets a nonce, and while that lives the segments that
    it was shown are not evicted.
    """

    def __init__(
        self,
        house: House,
        store: StoreDesk,
        directory: DirectoryDesk,
        requests: RequestsDesk,
        decisions: DecisionsDesk,
        uplink: UplinkDesk,
        arrivals: ArrivalsDesk,
        recorder: RecorderDesk,
    ) -> None:
        self._house = house
        self._tx = house.db.tx
        self._store = store
        self._directory = directory
        self._requests = requests
        self._decisions = decisions
        self._uplink = uplink
        self._arrivals = arrivals
        self._recorder = recorder

    def status(self) -> dict[str, Json]:
        """`GET /api/status`, and how many requests check 15 withheld since the start."""
        device, view = self._house.config.device, self._directory.view
        return {
            "recording": self._recorder.recording,
            "clock": self._house.keeper.trust.value,
            "broker": self._uplink.broker,
            "directory": {
                "version": 0 if view is None else view.platform.version,
                "fresh": self._directory.timestamp_fresh(self._house.now().utc_s),
            },
            "storage": dict(self._store.status()),
            "requests_enabled": self._house.settings.requests_enabled,
            "camera": list(device.location),
            "time_zone": device.time_zone,
            "button": self._house.button_required,
            "faults": list(self._house.faults.all()),
            "withheld": self._arrivals.withheld,
        }

    def request_row(self, row: RequestRow) -> dict[str, Json]:
        """One line of `GET /api/requests`."""
        return {
            "id": row.id,
            "agency": row.agency,
            "agency_name": row.agency_name,
            "case": row.case_number,
            "incident": row.incident,
            "from": row.from_s,
            "to": row.to_s,
            "received": row.received_ms // 1_000,
            "state": row.state.value,
            "segments": self._store.count(row.from_s, row.to_s),
        }

    def requests(self) -> list[Json]:
        """`GET /api/requests`."""
        rows = ledger.shown_requests(self._tx, self._house.now().utc_ms)
        return [self.request_row(row) for row in rows]

    def request(self, request_id: object, phone: PhoneRow) -> dict[str, Json]:
        """`GET /api/requests/<id>`, with a nonce of this phone for it."""
        row = self._requests.row(request_id)
        view = self._directory.view
        agency = None if view is None else view.agencies.get(row.agency)
        return {
            "envelope": parse(row.envelope, max_bytes=MAX_KEPT_BYTES),
            "sha256": row.sha256,
            "state": row.state.value,
            "agency": None if agency is None else parse(agency.raw, max_bytes=MAX_KEPT_BYTES),
            "platform": None if view is None else parse(view.platform.raw, max_bytes=MAX_KEPT_BYTES),
            "nonce": self._house.nonces.issue(phone.kid, row.id, self._house.now().boot_ns),
            "segments": self._store.count(row.from_s, row.to_s),
            **self._standing(row),
        }

    def _standing(self, row: RequestRow) -> dict[str, Json]:
        """Return the decline that a share would have to name as `prev`, and how long a wait still lasts."""
        extra: dict[str, Json] = {}
        if row.state.value == "DECLINED" and row.consent is not None:
            kept = ledger.consent(self._tx, row.consent)
            if kept is not None:
                extra["declined"] = {"id": kept.id, "approver": kept.approver}
        seconds = self._decisions.seconds_left(row)
        if seconds is not None:
            extra["seconds"] = seconds
        return extra

    def segments(self, request_id: object, phone: PhoneRow, after: int, limit: int) -> list[Json]:
        """`GET /api/requests/<id>/segments`; what a phone may share from is pinned while its nonce lives."""
        row = self._requests.row(request_id)
        found = [one for one in self._store.matching(row.from_s, row.to_s) if one.i > after]
        page = sorted(found, key=lambda one: one.i)[:limit]
        if phone.state is PhoneState.ADMITTED:  # a waiting phone can't share, so it must not hold storage either
            self._house.nonces.list_under(phone.kid, row.id, [one.id for one in page], self._house.now().boot_ns)
        return [self.segment_row(one, phone) for one in page]

    def segment_row(self, one: Stored, phone: PhoneRow) -> dict[str, Json]:
        """One segment, with the stanza for the asking phone."""
        sealed = None
        if phone.state is PhoneState.ADMITTED:
            sealed = sqlite_store.stanza(self._tx, phone.open_kid, one.i)
        return {
            "i": one.i,
            "id": one.id,
            "clip": one.clip,
            "n": one.n,
            "start_ms": one.start_ms,
            "end_ms": one.end_ms,
            "clock": one.clock,
            "bytes": one.bytes,
            "sha256": one.sha256,
            "stanza": None if sealed is None else b64(sealed),
        }

    def clips(self, phone: PhoneRow, before_ms: int, limit: int) -> list[Json]:
        """`GET /api/clips`; nothing for a phone that waits."""
        if phone.state is not PhoneState.ADMITTED:
            return []
        return [
            {
                "clip": one.clip,
                "start_ms": one.start_ms,
                "end_ms": one.end_ms,
                "trigger": one.trigger,
                "segments": [self.segment_row(segment, phone) for segment in one.segments],
            }
            for one in sqlite_store.clips(self._tx, before_ms, limit)
        ]

    def stanzas(self, kid: Kid, after: int, limit: int) -> list[Json]:
        """`GET /api/stanzas`: the asking phone's own."""
        rows = sqlite_store.stanzas(self._tx, kid, after, limit)
        return [{"i": i, "id": segment, "stanza": b64(sealed)} for i, segment, sealed in rows]

    def phones(self) -> list[Json]:
        """`GET /api/phones`: the ones that are paired."""
        return [
            {
                "phone": row.kid,
                "name": row.name,
                "sign_pub": b64(row.sign_pub),
                "open_pub": b64(row.open_pub),
                "state": row.state.value,
                "paired": row.paired_ms // 1_000,
                "seen": row.seen_ms // 1_000,
            }
            for row in self._house.phones.values()
            if row.state is not PhoneState.UNPAIRED
        ]

    def alerts(self) -> list[Json]:
        """`GET /api/alerts`: what is live."""
        payloads = ledger.alerts(self._tx, self._house.now().utc_s)
        return [parse(payload, max_bytes=MAX_KEPT_BYTES) for payload in payloads]

    def agencies(self) -> list[Json]:
        """`GET /api/agencies`: the region's list."""
        return list(self._directory.regions)

    def log(self, after: int | None, limit: int) -> dict[str, Json]:
        """`GET /api/log`."""
        size, root = sqlite_log.size_and_root(self._tx)
        note, _ = sqlite_log.latest_checkpoint(self._tx)
        return {
            "size": size,
            "root": b64(root),
            "checkpoint": note,
            "entries": list(sqlite_log.entries(self._tx, after, limit)),
        }

    def consistency(self, old_size: int) -> dict[str, Json]:
        """Prove that the log of `old_size` entries is the start of today's.

        Raises:
            RefusedError: log-changed, when the log is shorter than that, or its own entries do not give its root.
        """
        if not sqlite_log.is_whole(self._tx):
            raise RefusedError("log-changed", "THE LOG WAS CHANGED: its entries are not those that were hashed")
        size, root = sqlite_log.size_and_root(self._tx)
        if old_size > size:
            raise RefusedError(
                "log-changed", f"THE LOG WAS CHANGED: it has {size} entries, the checkpoint {old_size}"
            )
        proof = consistency_proof(sqlite_log.leaves(self._tx, size), old_size)
        device = b64(self._house.keys.device_pub)
        return {"size": size, "root": b64(root), "device_pub": device, "proof": [b64(step) for step in proof]}
