"""The owner's part at the console: what `doorbell pair`, `status`, `approve` and their kind ask of the vault.

Whoever has a shell on the device is its owner. Everything that came from outside is printed escaped.
"""

import argparse
import datetime as dt
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import segno

from agent.config import Config
from agent.consent.pairing import six_digits
from agent.core.checkpoint import parse_checkpoint
from agent.core.encoding import unb64
from agent.core.errors import RefusedError, TroubleError
from agent.core.merkle import verify_consistency
from agent.services.deadlines import DECISION_S
from agent.services.fault_words import FAULTS
from agent.services.motion_words import motion_line
from agent.services.wire import Args, Link, Message

LOG_PAGE: Final = 256
_SIZE: Final = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)

#: What the codes of protocol sections 10 and 11 mean to a person at the console; a verb before one: only there.
_REASONS: Final[Mapping[str, str]] = {
    "NOT_FOUND": "{why}: `doorbell requests` lists them",
    "admit C_STATE": "no phone of that id waits: `doorbell phones` lists them",
    "admit E_SCHEMA": "that is no phone's id: `doorbell phones` lists them",
    "unpair C_STATE": "no phone of that id is paired: `doorbell phones` lists them",
    "unpair E_SCHEMA": "that is no phone's id: `doorbell phones` lists them",
    "stop C_STATE": "{why}",
    "C_STATE": "the request is not waiting for an answer any more",
    "C_STALE": "what was asked or recorded has changed: look again and decide again",
    "C_CLOCK": "the clock is not right yet: wait until the doorbell is online",
    "C_RATE": "the day's approvals are used up: try again tomorrow",
    "C_LOCKED": "the console can't open these clips: they were recorded before the last start; use a paired phone",
}


def printable(value: object) -> str:
    """Return text that can't move the cursor, hide or reorder anything in a terminal."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in str(value))


def _when(seconds: int, zone: str) -> str:
    return dt.datetime.fromtimestamp(seconds, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S %Z")


def _ask(config: Config, verb: str, args: Args | None = None, *, timeout_s: float = 10.0) -> Message:
    link = Link.connect(config.device.run_dir / "console.sock")
    try:
        return link.call(verb, args, timeout_s=timeout_s)
    except RefusedError as refused:
        words = _REASONS.get(f"{verb} {refused.code}") or _REASONS.get(refused.code, "{why}")
        why = words.format(why=printable(refused))
        raise TroubleError(refused.code, why) from refused
    finally:
        link.close()


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, sort_keys=True))


def show_link(url: str) -> None:
    """Print a pairing link with its QR code, if the terminal can show one."""
    if sys.stdout.isatty():
        segno.make(url, error="l").terminal(compact=True)
    print(url)


def pair(config: Config, args: argparse.Namespace) -> int:
    """Open a pairing window and show its link."""
    answer = _ask(config, "pair").args
    if args.json:
        _print_json(answer)
        return 0
    show_link(str(answer["url"]))
    print(f"Open this link on your phone within {answer['expires_s']} seconds. It lets in one phone.")
    print("Your phone warns once that it does not know this doorbell's certificate: that is expected at home.")
    return 0


def phones(config: Config, args: argparse.Namespace) -> int:
    """List the paired phones; of one that waits, the six digits that its screen must show too (section 10)."""
    rows: Any = _ask(config, "phones").args["body"]
    if args.json:
        _print_json(rows)
        return 0
    for row in rows:
        paired = _when(row["paired"], config.device.time_zone)
        print(f"{row['phone']}  {row['state']:<8}  paired {paired}  {printable(row['name'])}")
        if row["state"] == "waiting":
            digits = six_digits(unb64(row["sign_pub"]), unb64(row["open_pub"]))
            print(f"    Does this phone show {digits[:3]} {digits[3:]}? Only then: doorbell admit {row['phone']}")
    if not rows:
        print("No phone is paired. Run `doorbell pair`.")
    return 0


def _change_phone(config: Config, args: argparse.Namespace, verb: str, state: str, *words: str) -> int:
    _ask(config, verb, {"phone": args.phone})
    if args.json:
        _print_json({"phone": args.phone, "state": state})
    else:
        print(f"Phone {args.phone} is", "\n".join(words))
    return 0


def admit(config: Config, args: argparse.Namespace) -> int:
    """Let a waiting phone in."""
    return _change_phone(config, args, "admit", "admitted", "admitted. New clips are sealed to it too.")


def unpair(config: Config, args: argparse.Namespace) -> int:
    """Put a phone out, such as one that was lost."""
    return _change_phone(
        config,
        args,
        "unpair",
        "unpaired",
        "out: it sees nothing new and can't share. What it has watched it has watched.",
        "If it was the only one, the next phone that you pair waits until you let it in: see `doorbell phones`.",
    )


def status(config: Config, args: argparse.Namespace) -> int:
    """Say how the doorbell is."""
    answer = _ask(config, "status").args
    body: Any = answer["body"]
    if args.json:
        _print_json(body)
        return 0
    motion: Any = answer["motion"]
    print(f"Recording   {'ready' if body['recording'] else 'no'}")
    if motion:
        print(f"Motion      {motion_line(motion)}")
    print(f"Requests    {'on' if body['requests_enabled'] else 'off: no request reaches you'}")
    if body["withheld"]:
        print(f"            {body['withheld']} held back since the start, because too many came at once")
    print(f"Clock       {body['clock']}")
    print(f"Broker      {body['broker']}")
    directory = body["directory"]
    print(f"Directory   version {directory['version']}, {'current' if directory['fresh'] else 'out of date'}")
    storage = body["storage"]
    print(f"Storage     {storage['bytes'] / 1e6:.1f} of {storage['limit'] / 1e6:.0f} MB")
    for fault in body["faults"]:
        print(f"Fault       {fault}: {FAULTS.get(fault, 'see docs/ref/faults.md')}")
    return 0


def requests(config: Config, args: argparse.Namespace) -> int:
    """List the requests of the last 30 days."""
    rows: Any = _ask(config, "requests").args["body"]
    if args.json:
        _print_json(rows)
        return 0
    for row in rows:
        print(f"{row['id']}  {row['state']}")
        print(f"    {printable(row['agency_name'])}, case {printable(row['case'])}, {printable(row['incident'])}")
        start, end = (_when(row[key], config.device.time_zone) for key in ("from", "to"))
        print(f"    footage from {start} to {end}: {row['segments']} segments")
    if not rows:
        print("No request has reached you.")
    return 0


def _decide(verb: str, said: str) -> Callable[[Config, argparse.Namespace], int]:
    def command(config: Config, args: argparse.Namespace) -> int:
        answer: Any = _ask(config, verb, {"id": args.id}, timeout_s=DECISION_S).args
        state = answer["body"]["state"]
        if args.json:
            _print_json({"state": state})
        else:
            print(said.format(state=state, grace_s=config.consent.grace_s))
        return 0

    return command


approve = _decide(
    "approve", "Approved. Nothing leaves for {grace_s} seconds; `doorbell stop` or any phone can still stop it."
)
decline = _decide("decline", "Declined. Nobody is told.")
stop = _decide("stop", "Stopped. The request is {state} now.")


def _compare(config: Config, path: Path, *, as_json: bool) -> int:
    """Hold a checkpoint that was saved before against the log as it is now."""
    try:
        note = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise TroubleError("checkpoint", f"can't read {path}: save one with `doorbell log --checkpoint`") from exc
    note = note[note.rfind("doorbell/", 0, note.find("\n\n")) :]  # the log may stand before it
    size = note.split("\n")[1] if note.count("\n") > 1 else ""
    if _SIZE.fullmatch(size) is None:
        raise TroubleError("checkpoint", f"{path} holds no checkpoint: save one with `doorbell log --checkpoint`")
    now: Any = _ask(config, "consistency", {"size": int(size)}).args["body"]
    try:
        old = parse_checkpoint(note, unb64(now["device_pub"]))
    except RefusedError as refused:
        raise TroubleError("checkpoint", f"{path} is not of this doorbell, or was changed: {refused}") from refused
    proof = [unb64(step) for step in now["proof"]]
    if not verify_consistency(old.size, old.root, now["size"], unb64(now["root"]), proof):
        raise TroubleError("log", "THE LOG WAS CHANGED: it does not begin with what the checkpoint saw")
    if as_json:
        _print_json({"unchanged": True, "size": now["size"], "checkpoint_size": old.size})
        return 0
    print(f"Unchanged: the log of {now['size']} entries begins with the {old.size} of the checkpoint.")
    return 0


def _whole_log(config: Config) -> dict[str, Any]:
    """Return the log as `GET /api/log` has it, all entries together."""
    entries: list[Any] = []
    while True:
        asked: Args = {"limit": LOG_PAGE} if not entries else {"limit": LOG_PAGE, "after": len(entries) - 1}
        body: Any = _ask(config, "log", asked).args["body"]
        entries += body["entries"]
        if len(entries) >= body["size"] or not body["entries"]:
            return {**body, "entries": entries}


def log(config: Config, args: argparse.Namespace) -> int:
    """Print the log, one entry a line; export it whole; or compare it with a saved checkpoint."""
    if args.against is not None:
        return _compare(config, args.against, as_json=args.json)
    whole = _whole_log(config)
    if args.json:
        _print_json(whole)
        return 0
    for place, entry in enumerate(whole["entries"]):
        print(f"{place}: deleted with its clip" if entry is None else printable(entry))
    if args.checkpoint:
        print(whole["checkpoint"], end="")
    return 0
