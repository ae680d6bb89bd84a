"""Threads that run what they are handed, and that keep no process from ending."""

import subprocess
import sys
import threading

import pytest

from agent.services.workers import Workers

HANGS = """
import threading
from agent.services.workers import Workers
begun = threading.Event()
def hang():
    begun.set()
    threading.Event().wait()
Workers(1, "w").submit(hang)
assert begun.wait(10)
print("ended")
"""


def test_one_that_hangs_keeps_no_process_from_ending() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "ended\n"


def test_no_more_run_at_once_than_there_are_threads_and_all_run() -> None:
    workers, lock, done = Workers(3, "w"), threading.Lock(), threading.Semaphore(0)
    running: list[int] = [0, 0]  # now, at most

    def act() -> None:
        with lock:
            running[0] += 1
            running[1] = max(running)
        threading.Event().wait(0.02)
        with lock:
            running[0] -= 1
        done.release()

    for _ in range(30):
        workers.submit(act)
    for _ in range(30):
        assert done.acquire(timeout=10)
    assert running == [0, 3]
    workers.close()


def test_a_thread_outlives_what_it_runs(caplog: pytest.LogCaptureFixture) -> None:
    workers, done = Workers(1, "w"), threading.Event()

    def fail() -> None:
        raise KeyError("nobody expected this")

    workers.submit(fail)
    workers.submit(done.set)
    assert done.wait(10)
    assert len(workers._threads) == 1
    assert "nobody expected this" in caplog.text
    workers.close()


def test_after_the_end_nothing_is_taken_and_what_waited_is_forgotten() -> None:
    workers, begun, go_on, ran = Workers(1, "w"), threading.Event(), threading.Event(), []

    def first() -> None:
        begun.set()
        go_on.wait(10)

    workers.submit(first)
    workers.submit(lambda: ran.append("second"))
    assert begun.wait(10)
    workers.close()
    go_on.set()
    (thread,) = workers._threads
    thread.join(10)
    assert not thread.is_alive()
    assert ran == []
    with pytest.raises(RuntimeError):
        workers.submit(lambda: None)
