"""The directory through python-tuf: what a platform may do, and what a hostile one or a hostile uplink may not."""

from pathlib import Path

import pytest

from agent.consent.tuf_directory import TufDirectory
from tests.fakes.consent_directory import AGENCY, FakeRepository

KINDS = [(True, None), (False, None), (True, 4), (False, 4)]


@pytest.fixture(params=KINDS, ids=["versioned", "plain", "versioned-bins", "plain-bins"])
def repository(request: pytest.FixtureRequest) -> FakeRepository:
    consistent, bits = request.param
    return FakeRepository(consistent=consistent, bits=bits)


@pytest.fixture
def directory(repository: FakeRepository, tmp_path: Path) -> TufDirectory:
    return TufDirectory(tmp_path / "directory", repository.installed_root)


def test_a_refresh_holds_the_platform_and_no_agency(repository: FakeRepository, directory: TufDirectory) -> None:
    assert directory.view is None
    view = directory.refresh(repository.fetch)
    assert view.platform.version == 1
    assert view.platform.raw == repository.targets["platform.json"]
    assert view.agencies == {}
    assert view.timestamp_expires_s == repository.timestamp_expires.timestamp()
    assert directory.view == view


def test_an_agency_is_looked_up_once(repository: FakeRepository, directory: TufDirectory) -> None:
    directory.refresh(repository.fetch)
    view = directory.look_up_agency(repository.fetch, AGENCY)
    agency = view.agencies[AGENCY]
    assert agency is not None
    assert agency.raw == repository.targets[f"agencies/{AGENCY}.json"]
    assert directory.view == view
    asked = len(repository.asked)
    directory.look_up_agency(repository.fetch, AGENCY)
    assert len(repository.asked) == asked


def test_an_agency_that_is_not_there_is_held_as_absent(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    view = directory.look_up_agency(repository.fetch, "us-ca-nobody")
    assert view.agencies == {"us-ca-nobody": None}
