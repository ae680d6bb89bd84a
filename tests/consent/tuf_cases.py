"""What the tests of the directory expect of a refusal."""

import pytest

from agent.consent.tuf_directory import TufDirectory
from agent.core.errors import DoorbellError, RefusedError, TroubleError
from tests.fakes.consent_directory import FakeRepository


def refused(directory: TufDirectory, repository: FakeRepository) -> str:
    """Refresh, expect a refusal, and hold that the held view did not move."""
    before = directory.view
    with pytest.raises(DoorbellError) as error:
        directory.refresh(repository.fetch)
    assert directory.view == before
    assert "\n" not in str(error.value)
    assert isinstance(error.value, RefusedError | TroubleError)
    return error.value.code
