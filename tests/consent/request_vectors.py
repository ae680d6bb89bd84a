"""The vectors of checks 1-15 as this package's types; shared by tests, the mutation run and the fuzz corpus."""

import base64
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from agent.consent.checks import check_request
from agent.consent.directory import DirectoryView, parse_agency, parse_platform
from agent.consent.limits_of_owner import OwnerLimits
from agent.consent.outcome import FloodCounts, Outcome
from agent.core.strict_json import dump

FOLDER = Path(__file__).parents[1] / "vectors"


@dataclass(frozen=True)
class Case:
    """One case of requests.json, its state merged over the defaults."""

    name: str
    raw: bytes
    expect: str
    accept: list[str]
    state: dict[str, Any]


@cache
def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / name).read_text("utf-8"))
    return loaded


def view_of(directory: dict[str, Any] | None, timestamp_expires_s: int = 1_800_600_000) -> DirectoryView | None:
    if directory is None:
        return None
    agencies = {
        name: None if value is None else parse_agency(dump(value), name)
        for name, value in directory["agencies"].items()
    }
    return DirectoryView(parse_platform(dump(directory["platform"])), agencies, timestamp_expires_s)


@cache
def named_view(name: str | None) -> DirectoryView | None:
    return None if name is None else view_of(document("requests.json")["directories"][name])


def raw_of(case: dict[str, Any]) -> bytes:
    raw: bytes = base64.b64decode(case["raw"])
    padded_to: int = case.get("padded_to", 0)
    return raw.ljust(padded_to)


@cache
def cases() -> tuple[Case, ...]:
    file = document("requests.json")
    return tuple(
        Case(case["name"], raw_of(case), case["expect"], case["accept"], file["defaults"] | case["state"])
        for case in file["cases"]
    )


def owner_of(value: dict[str, Any]) -> OwnerLimits:
    return OwnerLimits(**(value | {"muted": frozenset(value["muted"])}))


def arguments(state: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of `check_request` for a case's state."""
    return {
        "view": named_view(state["directory"]),
        "now_s": state["now"],
        "trusted": state["trusted"],
        "seen": state["seen"].get,
        "owner": owner_of(state["owner"]),
        "camera": tuple(state["camera"]),
        "overlaps": lambda start, end: any(a < end and b > start for a, b in state["segments"]),
        "counts": lambda _request: FloodCounts(**state["counts"]),
    }


def outcome_of(case: Case) -> Outcome:
    return check_request(case.raw, **arguments(case.state))


def case_named(name: str) -> Case:
    return next(case for case in cases() if case.name == name)
