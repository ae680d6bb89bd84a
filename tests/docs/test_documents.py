"""The documents say what the code does: every key, verb and fault is told, and no link leads nowhere."""

import re
import shutil
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any

import pytest

from agent.__main__ import HELP
from agent.config import _SECTIONS, load_config, parse_config
from agent.core.errors import ConfigError
from agent.services.setup import PlatformBundle, install_bundle

HOUSE = Path(__file__).parent.parent.parent
SAMPLE = HOUSE / "config" / "doorbell.toml"
MARKDOWN = sorted(path for path in (*HOUSE.glob("*.md"), *(HOUSE / "docs").rglob("*.md")))
HOLDS = [
    HOUSE / "docs/guide/owner.md",
    *(HOUSE / "agent/page/static" / name for name in ("words.js", "views/pair.js", "views/phones.js")),
]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
FIGURE = r"(\"[^\"]*\"|\[.*?\]|[\d_.]+|true|false)"


def keys() -> dict[str, Field[Any]]:
    """Every key of the configuration, as section.key."""
    return {
        f"{section}.{name}": key
        for section, kind in _SECTIONS.items()
        for name, key in kind.__dataclass_fields__.items()
    }


REQUIRED = {name for name, key in keys().items() if key.default is MISSING and key.default_factory is MISSING}


def sample_lines() -> dict[str, tuple[str, bool]]:
    """section.key → its value in the sample, and whether it stands in a comment."""
    found, section = {}, ""
    for line in SAMPLE.read_text().splitlines():
        if match := re.fullmatch(r"(?:# )?\[(\w+)\]", line):
            section = match[1]
        elif match := re.match(rf"(# )?(\w+) = {FIGURE}", line):
            found[f"{section}.{match[2]}"] = (match[3], match[1] is not None)
    return found


def with_platform() -> str:
    """The sample as it is after `doorbell init --platform`: with a section of its own at the end."""
    lines = [
        f"{name.split('.')[1]} = {sample_lines()[name][0]}" for name in REQUIRED if name.startswith("platform")
    ]
    return "\n".join([SAMPLE.read_text(), "[platform]", *lines, ""])


def test_the_sample_configuration_lacks_nothing_but_its_platform() -> None:
    config = parse_config(with_platform(), SAMPLE)
    assert config.requests.enabled is False
    assert config.notify.urls == ()


def test_an_installer_gives_the_sample_its_platform_by_init_alone(tmp_path: Path) -> None:
    own = tmp_path / "doorbell.toml"
    shutil.copy(SAMPLE, own)
    with pytest.raises(ConfigError, match="doorbell init --platform"):
        load_config(own)
    broker = "mqtts://broker.platform.example"
    install_bundle(PlatformBundle("P", broker, "https://directory.platform.example", "CA", "{}", None), own)
    assert load_config(own).platform.broker == broker


def test_the_sample_names_every_key_and_no_other() -> None:
    assert sample_lines().keys() == keys().keys()


def test_only_keys_without_a_default_are_set_in_the_sample_and_none_of_the_platform() -> None:
    set_keys = {name for name, (_, commented) in sample_lines().items() if not commented}
    assert set_keys == {name for name in REQUIRED if not name.startswith("platform.")}


def test_what_the_sample_gives_as_default_is_the_default() -> None:
    shown = parse_config(with_platform(), SAMPLE)
    text = re.sub(r"^# (\[platform\])$", r"\1", SAMPLE.read_text(), flags=re.MULTILINE)
    spoken = re.sub(rf"^# (\w+ = {FIGURE})", r"\1", text, flags=re.MULTILINE)
    for line in ("pin = 17", "lamp_pin = 27", "pin = 22"):  # what is wired has no default
        spoken = spoken.replace(f"\n{line}\n", "\n")
    unset = r"^(username|password_file|client_certificate|client_key|names) = .*$"
    meant = parse_config(re.sub(unset, "", spoken, flags=re.MULTILINE), SAMPLE)
    for section in _SECTIONS:
        assert getattr(meant, section) == getattr(shown, section), section


def test_the_reference_lists_every_key_with_its_section() -> None:
    text = (HOUSE / "docs/ref/configuration.md").read_text()
    listed = set(re.findall(r"^\| `(\w+\.\w+)` \|", text, flags=re.MULTILINE))
    assert listed == keys().keys()


@pytest.mark.parametrize("verb", HELP)
def test_every_verb_is_described(verb: str) -> None:
    assert re.search(rf"`(doorbell )?{verb}\b", (HOUSE / "docs/ref/cli.md").read_text())


@pytest.mark.parametrize("path", HOLDS, ids=lambda path: path.name)
def test_whoever_holds_the_button_is_told_which_link_works_then(path: Path) -> None:
    """The window that a hold opens is one for the owner's card: no screen shows another link."""
    for told in re.split(r"hold the indoor button", path.read_text())[1:]:
        assert re.match(r"[^.|]*\bcard\b", told), told[:120]


def test_the_installer_is_told_of_what_an_error_says_is_missing() -> None:
    told = (HOUSE / "docs/guide/install.md").read_text()
    said = "\n".join(path.read_text() for path in (HOUSE / "agent").rglob("*.py"))
    missing = set(re.findall(r"python3-[a-z0-9]+|'\.\[[a-z]+\]'", said))
    assert {"python3-gpiozero", "python3-picamera2", "'.[notify]'"} <= missing
    assert [one for one in missing if one not in told] == []
    assert "doorbell-agent[" not in said  # a checkout is installed: no index has that name


def told_faults() -> set[str]:
    """The codes of docs/ref/faults.md."""
    text = (HOUSE / "docs/ref/faults.md").read_text()
    return set(re.findall(r"^\| `([a-z-]+)` \|", text, flags=re.MULTILINE))


def test_every_fault_of_the_camera_is_told() -> None:
    code = "\n".join(path.read_text() for path in (HOUSE / "agent/capture").glob("*.py"))
    raised = set(re.findall(r'TroubleError\(\s*"(camera-[a-z]+|zones)"', code))
    assert raised
    assert raised <= told_faults()


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(HOUSE)))
def test_no_link_leads_nowhere(path: Path) -> None:
    for target in LINK.findall(path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target
