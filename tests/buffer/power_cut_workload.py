"""What runs under strace in the power-cut test: the real vault, doing one thing after the other.

Marks are calls on paths that don't exist: `begin` (all before it is durable), then what was promised.
"""

import os
import sys
from pathlib import Path

from agent.services.vault.database import Database
from tests.fakes.power_cut import MARK
from tests.fakes.vault_rig import Rig


def mark(text: str) -> None:
    """Leave a mark in the trace."""
    os.access(MARK + text, os.F_OK)


def segments(rig: Rig) -> None:
    """Two segments are written and indexed."""
    for _ in range(2):
        mark(f"segment {rig.record()}")


def decision(rig: Rig) -> None:
    """A request arrives and is shared, the owner stops it and declines."""
    rig.record(start_s=rig.clock.utc_ms() // 1000 - 60)
    request = rig.ask()
    mark(f"state {request} {rig.state(request)}")
    rig.share(request)
    mark(f"state {request} {rig.state(request)}")
    rig.decide(request, rig.phone.consent(rig, request, "decline"))
    mark(f"state {request} {rig.state(request)}")


def retention(rig: Rig) -> None:
    """Three segments are too old and go."""
    ids = [rig.record() for _ in range(4)]
    for one in ids:
        mark(f"segment {one}")
    mark("sync")
    for one in ids[:3]:
        mark(f"going {one}")
    rig.vault.store._evict(ids[:3])
    for one in ids[:3]:
        mark(f"evicted {one}")


def migration(rig: Rig) -> None:
    """A database is made and brought to the newest version, twice over."""
    path = rig.config.device.state_dir / "vault" / "other.db"
    Database(path).close()
    mark("migrated")


WORKLOADS = {one.__name__: one for one in (segments, decision, retention, migration)}


def main(folder: str, name: str) -> None:
    """Make a house, then do the thing."""
    rig = Rig(Path(folder))
    rig.record()
    mark("sync")
    mark("begin")
    WORKLOADS[name](rig)
    mark("end")
    rig.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
