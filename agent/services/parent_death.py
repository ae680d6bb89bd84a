"""A child of `doorbell run` ends when its supervisor is killed, so that none is left behind without one."""

import ctypes
import os
import signal
from typing import Final

VARIABLE: Final = "DOORBELL_SUPERVISOR"
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def end_with_supervisor() -> None:
    """Ask the kernel for SIGTERM when the supervisor dies, if this process was started by one."""
    supervisor = os.environ.get(VARIABLE)
    if supervisor is None:
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if str(os.getppid()) != supervisor:  # it died before we could ask
        os.kill(os.getpid(), signal.SIGTERM)
