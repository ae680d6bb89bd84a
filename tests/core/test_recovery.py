"""The recovery key as it stands on paper."""

import pytest

from agent.core import recovery
from agent.core.errors import RefusedError


def test_a_recovery_key_whose_last_bits_are_set_is_refused() -> None:
    good = recovery.encode_recovery(bytes(32))
    with pytest.raises(RefusedError, match="last character"):
        recovery.decode_recovery(good[:-1] + "1")
