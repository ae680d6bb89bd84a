"""The owner's phones: pairing, sessions, signed actions, and to whom new segments are sealed (section 10)."""

import contextlib
import errno
from collections.abc import Callable
from pathlib import Path

from agent.atomic_file import replace_file
from agent.buffer import sqlite_store
from agent.consent import sqlite_ledger as ledger
from agent.consent import sqlite_phones
from agent.consent.actions import ActionFacts, Admit, ChangeSettings, Delete, Keep, Unpair, check_action
from agent.consent.consents import MAX_SKEW_S
from agent.consent.pairing import SECRET_BYTES, Link, PairingWindow, build_link, device_mac, parse_pair_body
from agent.consent.phones import Phone, PhoneState, state_when_paired
from agent.consent.sessions import Sessions
from agent.consent.settings import Change, changed
from agent.consent.sqlite_phones import PhoneRow
from agent.core.encoding import b64, unb64
from agent.core.envelope import SIGNATURE_BYTES
from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id, Kid, is_id, is_kid, kid_of, new_bytes
from agent.core.keys import raw_public
from agent.core.seal import WRAP_BYTES
from agent.core.strict_json import Json, dump
from agent.services.vault.house import House
from agent.services.vault.store_desk import StoreDesk

WINDOW_S = 120  # section 10
SEEN_EVERY_MS = 3_600_000  # how often a visit is worth a write to the card
MAX_HANDED_ON = 4_096


class PhonesDesk:
    """Knows who the owner's phones are.

    Args:
        house: what the vault shares.
        store: deletes and keeps clips for them.
        recipients: the file that tells the recorder to whom it seals.
    """

    def __init__(self, house: House, store: StoreDesk, recipients: Path) -> None:
        self._house = house
        self._store = store
        self._recipients = recipients
        self._window = PairingWindow()
        self._sessions = Sessions()
        self._spki: bytes | None = None
        self._on_settings: Callable[[], None] = lambda: None
        self._on_confirmed_clock: Callable[[], None] = lambda: None

    def on_change(self, settings: Callable[[], None], confirmed_clock: Callable[[], None]) -> None:
        """Call these after the owner changed settings, and when a phone confirms the time."""
        self._on_settings = settings
        self._on_confirmed_clock = confirmed_clock

    # ---- the page's key

    def page_certified(self, spki: bytes) -> None:
        """Remember the key that the page serves with: links and sessions are bound to it."""
        self._spki = spki
        with self._house.db.transaction() as tx:
            ledger.set_fact(tx, "page_spki", spki)

    def spki(self) -> bytes:
        """Return the SHA-256 of the page's SubjectPublicKeyInfo.

        Raises:
            TroubleError: page-down, when the page has never asked for a certificate.
        """
        if self._spki is None:
            kept = ledger.fact(self._house.db.tx, "page_spki")
            self._spki = kept if isinstance(kept, bytes) else None
        if self._spki is None:
            raise TroubleError("page-down", "the owner's page has not started yet; start it and try again")
        return self._spki

    # ---- pairing

    @property
    def is_pairing(self) -> bool:
        """Whether a phone may pair right now."""
        return self._window.is_open(self._house.now().boot_ns)

    def open_window(self) -> dict[str, Json]:
        """Open a pairing window and return its link; the card's secret is good in it too."""
        fresh, card = new_bytes(SECRET_BYTES), ledger.fact(self._house.db.tx, "card_secret")
        secrets = [fresh, card] if isinstance(card, bytes) else [fresh]
        link = self.link(fresh)
        self._window.open(secrets, self._house.now().boot_ns)
        return {"url": link, "expires_s": WINDOW_S}

    def link(self, secret: bytes) -> str:
        """Return the pairing link of a secret."""
        page = self._house.config.page
        return build_link(Link(page.link_host, page.port, secret, self.spki()))

    def pair(self, body: Json) -> dict[str, Json]:
        """Pair a phone that proves to have read the link.

        Raises:
            RefusedError: P_CLOSED, P_MAC; E_SCHEMA, E_TEXT, E_KEY for a malformed body, which is no try;
                C_STATE for a phone that was paired before, told only to one that read the link.
        """
        asked, reading = parse_pair_body(body), self._house.now()
        secret = self._window.attempt(asked, self.spki(), reading.boot_ns)
        if asked.phone in self._house.phones:
            raise RefusedError("C_STATE", "this phone was paired before; its page makes new keys when it is reset")
        state = state_when_paired(self._house.approvers().values())
        with self._house.db.transaction() as tx:
            fields = {"phone": asked.phone, "sign_pub": b64(asked.sign_pub), "open_pub": b64(asked.open_pub)}
            number = self._house.log(tx, "paired", fields)
            row = PhoneRow(
                kid=asked.phone,
                name=asked.name,
                sign_pub=asked.sign_pub,
                open_pub=asked.open_pub,
                state=state,
                paired_ms=reading.utc_ms,
                seen_ms=reading.utc_ms,
                paired_n=number,
                admitted_n=None,
            )
            sqlite_phones.put_phone(tx, row)
            self._house.checkpoint(tx)
        self._phones_changed(asked.phone)
        device = self._house.keys.device_kid
        mac = device_mac(secret, self.spki(), asked.sign_pub, asked.open_pub, device)
        return {
            "phone": asked.phone,
            "device": device,
            "device_pub": b64(self._house.keys.device_pub),
            "state": state.value,
            "mac": b64(mac),
        }

    def admit(self, kid: Kid) -> None:
        """Let a waiting phone in.

        Raises:
            RefusedError: C_STATE, when it does not wait.
        """
        row = self._house.phones.get(kid)
        if row is None or row.state is not PhoneState.WAITING:
            raise RefusedError("C_STATE", "no phone of that name waits")
        with self._house.db.transaction() as tx:
            number = self._house.log(tx, "admitted", {"phone": kid})
            sqlite_phones.set_phone_state(tx, kid, PhoneState.ADMITTED, admitted_n=number)
            self._house.checkpoint(tx)
        self._phones_changed(kid)

    def unpair(self, kid: Kid) -> None:
        """Put a phone out for good; what it could open of the store, it can't open any more.

        Raises:
            RefusedError: C_STATE, when it is no phone of the house.
        """
        row = self._house.phones.get(kid)
        if row is None or row.state is PhoneState.UNPAIRED:
            raise RefusedError("C_STATE", "no phone of that name is paired")
        with self._house.db.transaction() as tx:
            self._house.log(tx, "unpaired", {"phone": kid})
            sqlite_phones.set_phone_state(tx, kid, PhoneState.UNPAIRED)
            sqlite_store.forget_recipient(tx, row.open_kid)
            self._house.checkpoint(tx)
        self._sessions.end_phone(kid)
        self._house.nonces.end_holder(kid)
        self._phones_changed(kid)

    def _phones_changed(self, kid: Kid) -> None:
        self._house.reload_phones()
        self.keep_recipients()
        self._house.publish("phone", {"phone": kid})

    # ---- to whom segments are sealed

    def keep_recipients(self) -> None:
        """Write the recipients after a change that is durable already, and again until the disk takes them."""
        try:
            self.write_recipients()
        except TroubleError as trouble:
            self._house.set_faults("recipients", [trouble.code])
            self._house.loop.after(0.0, self.write_recipients)  # the loop tries a timer again

    def write_recipients(self) -> None:
        """Tell the recorder the public keys to seal to, the floor of its clock, and whether UTC is in doubt.

        Raises:
            TroubleError: storage-full, storage-failed.
        """
        rows: list[tuple[bytes, str]] = [
            (row.open_pub, "phone") for row in self._house.phones.values() if row.state is PhoneState.ADMITTED
        ]
        recovery = ledger.fact(self._house.db.tx, "recovery_pub")
        if isinstance(recovery, bytes):
            rows.append((recovery, "recovery"))
        kept = len(rows)
        rows.append((raw_public(self._house.keys.button.open_key), "button"))
        value = {
            "v": 1,
            "device": self._house.keys.device_kid,
            "recipients": [{"kid": kid_of(pub), "pub": b64(pub), "kind": kind} for pub, kind in rows],
            "floor_s": self._house.keeper.floor_s,
            "suspect": self._house.keeper.trust.value == "suspect",
        }
        write_atomically(self._recipients, dump(value))
        self._house.set_faults("recipients", {0: ["no-recipient"], 1: ["one-recipient"]}.get(kept, []))

    # ---- sessions

    def challenge(self, kid: object) -> dict[str, Json]:
        """Return a challenge for a paired phone.

        Raises:
            RefusedError: C_APPROVER.
        """
        return {"challenge": b64(self._sessions.challenge(self._phone(kid), self._house.now().boot_ns))}

    def session(self, kid: object, sig: object) -> dict[str, Json]:
        """Open a session for a phone that signs its challenge.

        Raises:
            RefusedError: C_APPROVER, C_SIG.
        """
        try:
            raw = unb64(sig, length=SIGNATURE_BYTES)
        except ValueError as exc:
            raise RefusedError("C_SIG", "no signature") from exc
        phone, reading = self._phone(kid), self._house.now()
        token = self._sessions.open(phone, raw, self.spki(), reading.boot_ns)
        row = self._house.phones[phone.kid]
        if reading.utc_ms - row.seen_ms > SEEN_EVERY_MS:
            # On a full card the owner must come in all the same: it is here that clips are deleted.
            with contextlib.suppress(TroubleError):
                with self._house.db.transaction() as tx:
                    sqlite_phones.touch_phone(tx, row.kid, reading.utc_ms)
                self._house.reload_phones()
        return {"session": token}

    def _phone(self, kid: object) -> Phone:
        row = self._house.phones.get(kid) if is_kid(kid) else None
        if row is None:
            raise RefusedError("C_APPROVER", "no phone of this house")
        return row.phone

    def who(self, token: object) -> PhoneRow:
        """Return whose session this is.

        Raises:
            RefusedError: NO_SESSION.
        """
        kid = self._sessions.phone_of(token, self._house.now().boot_ns) if isinstance(token, str) else None
        row = None if kid is None else self._house.phones.get(kid)
        if row is None or row.state is PhoneState.UNPAIRED:
            raise RefusedError("NO_SESSION", "sign in again")
        return row

    # ---- actions

    def act(self, raw: bytes) -> None:
        """Carry out a signed action of an admitted phone.

        Raises:
            RefusedError: as `check_action`.
        """
        tx = self._house.db.tx
        action = check_action(
            raw,
            ActionFacts(
                phones=self._house.approvers(),
                nonces=self._house.nonces,
                now_ns=self._house.now().boot_ns,
                has_clip=lambda clip: bool(sqlite_store.clip(tx, clip)),
            ),
        )
        self._house.nonces.use(action.nonce)
        verb = action.verb
        if isinstance(verb, Admit):
            self.admit(verb.phone)
        elif isinstance(verb, Unpair):
            self.unpair(verb.phone)
        elif isinstance(verb, ChangeSettings):
            if verb.change:
                self.change_settings(verb.change)
            now_s = self._house.now().utc_s
            if verb.clock_at_s is not None and abs(verb.clock_at_s - now_s) <= MAX_SKEW_S:
                self._on_confirmed_clock()
        elif isinstance(verb, Keep):
            self._store.keep_clip(verb.clip)
        elif isinstance(verb, Delete):
            self._store.delete_clip(verb.clip)

    def change_settings(self, change: Change) -> None:
        """Take the owner's new settings."""
        fresh = changed(self._house.settings, change)
        with self._house.db.transaction() as tx:
            self._house.save_settings(tx, fresh, change)
            self._house.checkpoint(tx)
        self._house.settings = fresh
        self._on_settings()
        self._house.publish("status", {})

    # ---- stanzas

    def hand_on(self, to: object, stanzas: Json) -> dict[str, Json]:
        """Keep stanzas that an admitted phone re-sealed to another; only where none is held.

        Raises:
            RefusedError: E_SCHEMA, NOT_FOUND.
        """
        target = self._house.phones.get(to) if is_kid(to) else None
        if target is None or target.state is not PhoneState.ADMITTED:
            raise RefusedError("NOT_FOUND", "no admitted phone of that name")
        if not isinstance(stanzas, list) or len(stanzas) > MAX_HANDED_ON:
            raise RefusedError("E_SCHEMA", "a list of stanzas")
        rows = [_stanza(item) for item in stanzas]
        with self._house.db.transaction() as tx:
            for segment, sealed in rows:
                sqlite_store.put_stanza(tx, target.open_kid, segment, sealed)
        return {}


def _stanza(item: Json) -> tuple[Id, bytes]:
    if not isinstance(item, dict) or item.keys() != {"id", "stanza"} or not is_id(item["id"]):
        raise RefusedError("E_SCHEMA", "a stanza is {id, stanza}")
    try:
        return item["id"], unb64(item["stanza"], length=WRAP_BYTES)
    except ValueError as exc:
        raise RefusedError("E_SCHEMA", "a stanza is base64 of 64 bytes") from exc


def write_atomically(path: Path, raw: bytes) -> None:
    """Replace a file by another one, durably; a reader sees the old one or the new one.

    Raises:
        TroubleError: storage-full, storage-failed.
    """
    try:
        replace_file(path, raw, mode=0o640)
    except OSError as exc:
        if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
            text = f"no room left at {path}: make room or lower [clips] max_bytes"
            raise TroubleError("storage-full", text) from exc
        raise TroubleError(
            "storage-failed", f"can't write {path}: {exc.strerror}; check the card or disk"
        ) from exc
