"""The command line: one verb for each process, the owner's part at the console, and the evidence tools.

Exit 0 done, 1 refused or failed (one line says why and what to do), 2 wrong usage or configuration. What a verb
needs is imported when it runs, so that each process holds only its own.
"""

import argparse
import importlib
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from agent import __version__
from agent.config import Config, load_config
from agent.core.errors import ConfigError, DoorbellError

DEFAULT_CONFIG: Final = "/etc/doorbell/doorbell.toml"
#: Process → the module whose main(config) is it.
PROCESSES: Final = {
    "run": "agent.services.supervisor",
    "recorder": "agent.services.recorder",
    "vault": "agent.services.vault.service",
    "page": "agent.services.page",
    "uplink": "agent.services.uplink",
}
CONSOLE: Final = ("pair", "phones", "admit", "unpair", "status", "requests", "approve", "decline", "stop", "log")
HELP: Final = {
    "run": "run the whole doorbell: all four processes, until Ctrl-C",
    "recorder": "run the camera's process alone",
    "vault": "run the deciding process alone",
    "page": "run the owner's page alone",
    "uplink": "run the process with a way to the internet alone",
    "init": "set a new doorbell up and print the owner's card once",
    "check-config": "check the configuration file and say what it means",
    "pair": "let in a phone: prints a link and its QR code",
    "phones": "list the paired phones",
    "admit": "let in a phone that waits",
    "unpair": "put out a phone that was lost or is no longer yours",
    "status": "say how the doorbell is, and what to do about what is not right",
    "motion": "show what the motion detector makes of a video",
    "requests": "list the requests that reached you",
    "approve": "say yes to a request, with the button's key",
    "decline": "say no to a request",
    "stop": "stop what was approved before it has left",
    "log": "print the log of everything that was decided",
    "reset": "delete keys, phones, log and every clip of this doorbell",
    "open-clips": "open the stored clips with the recovery key",
    "open": "open an evidence bundle with the agency's key",
    "verify": "check every claim of an evidence bundle",
}

Command = Callable[[argparse.Namespace], int]


def _parser(verb: str) -> argparse.ArgumentParser:
    """Return the parser; what `open`, `verify` and `motion` take is theirs to say, and only then imported."""
    parser = argparse.ArgumentParser(prog="doorbell", description="The doorbell that asks its owner first.")
    parser.add_argument("--version", action="version", version=f"doorbell {__version__}")
    process = argparse.ArgumentParser(add_help=False)
    process.add_argument(
        "--config", type=Path, help=f"the configuration file (or DOORBELL_CONFIG; {DEFAULT_CONFIG})"
    )
    common = argparse.ArgumentParser(add_help=False, parents=[process])
    common.add_argument("--json", action="store_true", help="print JSON for programs")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    made: dict[str, argparse.ArgumentParser] = {}
    for name, text in HELP.items():
        parents = [] if name in {"open", "verify", "motion"} else [process if name in PROCESSES else common]
        told = f"{text[0].upper()}{text[1:]}."
        made[name] = verbs.add_parser(name, help=text, description=told, parents=parents)
    made["init"].add_argument("--platform", type=Path, help="the bundle that the platform gave you")
    made["init"].add_argument("--no-recovery", action="store_true", help="make no recovery key")
    for name in ("admit", "unpair"):
        made[name].add_argument(
            "phone", help="the phone's id: 16 digits and letters, as `doorbell phones` lists it"
        )
    for name in ("approve", "decline", "stop"):
        made[name].add_argument("id", help="the request's id, as `doorbell requests` lists it")
    made["log"].add_argument("--checkpoint", action="store_true", help="end with the signed checkpoint")
    made["log"].add_argument("--against", type=Path, metavar="FILE", help="compare with a checkpoint saved before")
    made["reset"].add_argument("--yes", action="store_true", help="do it without asking")
    made["open-clips"].add_argument(
        "--recovery", required=True, metavar="FILE", help="holds the key; - asks for it"
    )
    made["open-clips"].add_argument("--store", type=Path, help="the folder of segments; default: this doorbell's")
    made["open-clips"].add_argument("--out", type=Path, required=True, help="a folder for the films")
    if verb == "open":
        importlib.import_module("agent.evidence.command").add_open_arguments(made[verb])
    elif verb == "verify":
        importlib.import_module("agent.evidence.command").add_verify_arguments(made[verb])
    elif verb == "motion":
        importlib.import_module("agent.capture.motion_report").add_arguments(made[verb])
    return parser


def _config_path(args: argparse.Namespace) -> Path:
    return Path(args.config or os.environ.get("DOORBELL_CONFIG") or DEFAULT_CONFIG)


def _config(args: argparse.Namespace) -> Config:
    return load_config(_config_path(args))


def _process(args: argparse.Namespace) -> int:
    importlib.import_module("agent.services.parent_death").end_with_supervisor()
    main_of: Any = importlib.import_module(PROCESSES[args.verb])
    return int(main_of.main(_config(args)))


def _console(args: argparse.Namespace) -> int:
    console: Any = importlib.import_module("agent.services.console")
    return int(getattr(console, args.verb)(_config(args), args))


def _init(args: argparse.Namespace) -> int:
    setup: Any = importlib.import_module("agent.services.setup")
    if args.platform is not None:
        bundle = setup.read_bundle(args.platform)
        setup.install_bundle(bundle, _config_path(args))
        if not args.json:
            print("The platform's root, to compare with what the platform told you:")
            print(f"    {bundle.fingerprint}")
    config = _config(args)
    card = setup.initialise(config, with_recovery=not args.no_recovery)
    if args.json:
        told = {"link": card.link, "recovery": card.recovery}
        if args.platform is not None:
            told["root_fingerprint"] = bundle.fingerprint
        print(json.dumps(told))
        return 0
    print("\nOWNER'S CARD - print it or write it down; it is shown only this once.\n")
    print("Pairing link (works while a pairing window is open: `doorbell pair`, or hold the button):")
    importlib.import_module("agent.services.console").show_link(card.link)
    if card.recovery is None:
        print("\nNo recovery key was made: when every phone is lost, no clip can be opened.")
    else:
        print(
            f"\nRecovery key (opens every clip when your phones are lost; keep it on paper):\n    {card.recovery}"
        )
    if config.notify.urls:
        print("\n[notify] is on: its provider can learn that something waits for you, though not what.")
    return 0


def _check_config(args: argparse.Namespace) -> int:
    config = _config(args)  # first: what is wrong in the file needs none of the rest
    return int(importlib.import_module("agent.services.check_command").run(config, args))


def _reset(args: argparse.Namespace) -> int:
    config = _config(args)
    if not args.yes:
        asked = "This deletes keys, phones, log and every clip. Type reset to go on: "
        print(asked, end="", flush=True, file=sys.stderr if args.json else sys.stdout)
        if sys.stdin.readline().strip() != "reset":
            print("Nothing was deleted.", file=sys.stderr if args.json else sys.stdout)
            return 1
    gone = importlib.import_module("agent.services.setup").reset(config)
    if args.json:
        print(json.dumps({"deleted": [str(path) for path in gone]}))
        return 0
    print("\n".join(f"deleted {path}" for path in gone) or "There was nothing to delete.")
    return 0


def _open_clips(args: argparse.Namespace) -> int:
    command: Any = importlib.import_module("agent.services.open_clips_command")
    return int(command.run(args, lambda: _config(args).device.state_dir / "segments"))


def _evidence(args: argparse.Namespace) -> int:
    command: Any = importlib.import_module("agent.evidence.command")
    return int(command.run_open(args) if args.verb == "open" else command.run_verify(args))


def _motion(args: argparse.Namespace) -> int:
    return int(importlib.import_module("agent.capture.motion_report").run(args))


COMMANDS: Final[dict[str, Command]] = {
    **dict.fromkeys(PROCESSES, _process),
    **dict.fromkeys(CONSOLE, _console),
    "init": _init,
    "check-config": _check_config,
    "motion": _motion,
    "reset": _reset,
    "open-clips": _open_clips,
    "open": _evidence,
    "verify": _evidence,
}


def _verb_first(words: Sequence[str]) -> list[str]:
    """Move `--config` and `--json` from before the verb to behind it, where the parser looks for them."""
    at = 0
    while at < len(words) and (words[at] in {"--config", "--json"} or words[at].startswith("--config=")):
        at += 2 if words[at] == "--config" else 1
    return [*words[at : at + 1], *words[:at], *words[at + 1 :]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    words = _verb_first(sys.argv[1:] if argv is None else argv)
    args = _parser(next((word for word in words if not word.startswith("-")), "")).parse_args(words)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"%(asctime)s {args.verb}: %(message)s")
    for name in ("tuf", "securesystemslib"):  # they tell each key that did not sign; what counts is raised
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        return COMMANDS[args.verb](args)
    except ConfigError as error:
        print(f"doorbell: {error}", file=sys.stderr)
        return 2
    except DoorbellError as error:
        print(f"doorbell: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 1


if __name__ == "__main__":
    sys.exit(main())
