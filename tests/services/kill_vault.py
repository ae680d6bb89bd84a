"""What the vault's kill test runs: the vault killed with SIGKILL at random moments, again and again.

Each life is a forked child: it starts the real vault on the folder, then seals, asks, decides, evicts and changes
settings until it is killed. After each life the next one must start by itself and find a log that is whole, states
that follow the table, and an index that equals the folder.

A program of its own, because a fork of the test process would fork its threads' locks too.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from agent.buffer import sqlite_store
from agent.buffer.segment_files import SegmentFolder
from agent.consent import sqlite_log
from agent.consent.states import TABLE, State
from agent.services.vault.database import Database
from tests.fakes.vault_rig import Rig


def _live(rig: Rig, seed: int) -> None:
    """Be the vault of one life: never returns."""
    dice = random.Random(seed)
    rig.start()
    while True:
        rig.record(n=dice.randrange(3))
        request_id = rig.ask()
        if rig.state(request_id) == "PENDING":
            raw = rig.phone.consent(rig, request_id, dice.choice(["share", "decline"]))
            rig.decide(request_id, raw)
            rig.pass_s(dice.choice([1, 70]), step_s=35)
        rig.vault.phones.change_settings({"alerts": dice.random() < 0.5})
        clips = rig.vault.answers.clips(rig.vault.house.phones[rig.phone.kid], 10**15, 5)
        if len(clips) > 3 and isinstance(clips[-1], dict):
            held = str(clips[-1]["clip"])
            if not any(row for row in rig.vault.requests.waiting()):
                rig.vault.store.delete_clip(held)  # type: ignore[arg-type]
        rig.vault.hourly()


def _states_follow_the_table(rig: Rig) -> None:
    now: dict[str, State] = {}
    for entry in rig.log():
        if entry["t"] == "state":
            before, after = now.get(entry["request"], State.UNSEEN), State(entry["to"])
            reachable = {one for (source, _), one in TABLE.items() if source is before}
            assert after in reachable, f"{before} → {after}"
            now[entry["request"]] = after
    held = rig.vault.db.tx.execute("SELECT id, state FROM requests WHERE pending_ms IS NOT NULL")
    for request_id, state in held:
        assert now[request_id] == state


def main(folder: Path, lives: int) -> None:
    """Kill the vault of `lives` lives; after each, the log is whole, and nothing that was in it is gone."""
    rig = Rig(folder, consent="daily_approvals = 20")
    state, dice, size = rig.config.device.state_dir, random.Random(4), 0
    rig.close()  # no connection to the database may live in two processes
    for life in range(lives):
        pid = os.fork()
        if pid == 0:
            try:
                _live(rig, life)
            finally:
                os._exit(3)  # only an error comes here
        time.sleep(dice.uniform(0.01, 0.25))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), f"life {life} ended by itself: see the traceback above"
        database = Database(state / "vault" / "vault.db")
        assert sqlite_log.is_whole(database.tx), f"life {life}"
        grown, _ = sqlite_log.size_and_root(database.tx)
        assert grown >= size, "an entry that was there is gone"
        size = grown
        database.close()
    rig.start()
    _states_follow_the_table(rig)
    indexed = {one for one, _ in sqlite_store.ids(rig.vault.db.tx)}
    with SegmentFolder(state / "segments") as store:
        assert set(store.scan().complete) == indexed
    assert not list((state / "quarantine").iterdir())
    assert rig.vault.db.tx.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    rig.close()
    assert size > lives, "the lives were too short to do anything"
    print(f"{lives} vaults killed, {size} entries")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
