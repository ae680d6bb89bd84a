"""Fixtures of this room that more than one file uses."""

from pathlib import Path

import hypothesis
import pytest

from agent.consent.tuf_directory import TufDirectory
from tests.fakes.consent_directory import FakeRepository

# A deadline for one example measures how busy the machine is, and nothing of ours.
hypothesis.settings.register_profile("consent", parent=hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("consent")

KINDS = {"versioned": (True, None), "plain": (False, None), "versioned-bins": (True, 4), "plain-bins": (False, 4)}


@pytest.fixture(params=list(KINDS))
def repository(request: pytest.FixtureRequest) -> FakeRepository:
    consistent, bits = KINDS[request.param]
    return FakeRepository(consistent=consistent, bits=bits)


@pytest.fixture
def directory(repository: FakeRepository, tmp_path: Path) -> TufDirectory:
    return TufDirectory(tmp_path / "directory", repository.installed_root)
