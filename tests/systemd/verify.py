"""Check the units as systemd itself reads them. `make lint` runs this as a program.

`systemd-analyze verify` exits 0 on keys that it doesn't know, so anything on stderr is a failure. Two things of a
copy differ from the units, and only these: where the installed command is not here, ExecStart names one that is;
and a systemd before 254, which knows no RestartSteps, is spared the two lines of the back-off.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

UNITS = Path(__file__).parent.parent.parent / "systemd"
COMMAND = "/opt/doorbell/bin/doorbell"
BACK_OFF_SINCE = 254
BACK_OFF = ("RestartSteps=", "RestartMaxDelaySec=")


def systemd_version() -> int:
    """The version of the systemd that checks."""
    told = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    match = re.match(r"systemd (\d+)", told)
    assert match is not None, told
    return int(match[1])


def unit_names() -> list[str]:
    """Names of all units."""
    return sorted(path.name for path in UNITS.iterdir() if path.suffix in {".service", ".socket", ".target"})


def service_names() -> list[str]:
    """Names of the four services."""
    return [name for name in unit_names() if name.endswith(".service")]


def copy_units(folder: Path) -> list[Path]:
    """Copy the units so that this machine can check them; see the module's docstring."""
    old = systemd_version() < BACK_OFF_SINCE
    for name in unit_names():
        text = (UNITS / name).read_text()
        if not Path(COMMAND).exists():
            text = text.replace(COMMAND, shutil.which("true") or "/bin/true")
        if old:
            text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith(BACK_OFF))
        (folder / name).write_text(text)
    return [folder / name for name in unit_names()]


def complaints() -> str:
    """What `systemd-analyze verify` says of the units; nothing when all is well."""
    with tempfile.TemporaryDirectory() as name:
        units = copy_units(Path(name))
        return subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *map(str, units)],
            capture_output=True,
            text=True,
            check=False,
        ).stderr


if __name__ == "__main__":
    said = complaints()
    print(said or "systemd-analyze verify: silent")
    sys.exit(1 if said else 0)
