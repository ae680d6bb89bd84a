"""The directory through python-tuf: what a platform may do, and what stays of it."""

import threading
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.consent.tuf_directory import TufDirectory
from agent.core.errors import RefusedError
from tests.fakes.consent_directory import AGENCY, FakeRepository, agency_file, platform_file


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


def test_only_paths_of_the_directorys_forms_are_asked_for_each_with_its_ceiling(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    directory.refresh(repository.fetch)
    directory.look_up_agency(repository.fetch, AGENCY)
    directory.region(repository.fetch, "9q8")
    assert repository.limits["metadata/2.root.json"] == 32 * 1024
    assert repository.limits["metadata/timestamp.json"] == 16 * 1024
    assert repository.limits[repository.metadata_path("snapshot")] == 64 * 1024
    assert repository.limits[repository.metadata_path("targets")] == 256 * 1024
    platform = repository.target_path("platform.json")
    assert repository.limits[platform] == len(repository.targets["platform.json"])
    assert len(repository.asked) == 9 - 1  # root, timestamp, snapshot, targets, delegated, three targets


# What the platform may do.


def test_a_new_state_is_taken_whole_and_forgets_what_was_looked_up(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    directory.look_up_agency(repository.fetch, AGENCY)
    new = Ed25519PrivateKey.generate()
    repository.put("platform.json", platform_file(new, version=2))
    repository.publish()
    view = directory.refresh(repository.fetch)
    assert view.platform.version == 2
    assert view.platform.dispatch[0].pub == new.public_key().public_bytes_raw()
    assert view.agencies == {}
    assert directory.look_up_agency(repository.fetch, AGENCY).agencies[AGENCY] is not None


def test_what_was_looked_up_stays_while_no_target_changed(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    before = directory.look_up_agency(repository.fetch, AGENCY)
    repository.timestamp_expires += timedelta(days=1)
    repository.publish_timestamp(repository.version + 1, snapshot=repository.version)
    after = directory.refresh(repository.fetch)
    assert after.agencies == before.agencies
    assert after.platform is before.platform
    assert after.timestamp_expires_s == before.timestamp_expires_s + 86_400
    assert directory.evidence_files(AGENCY)


def test_a_look_up_follows_a_platform_that_moved_on_meanwhile(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    directory.refresh(repository.fetch)
    repository.served = {path: raw for path, raw in repository.served.items() if "root" in path}
    repository.put("platform.json", platform_file(repository.dispatch, version=2))
    repository.put(f"agencies/{AGENCY}.json", agency_file() | {"name": "Renamed Police"})
    repository.publish()
    view = directory.look_up_agency(repository.fetch, AGENCY)
    agency = view.agencies[AGENCY]
    assert view.platform.version == 2
    assert agency is not None
    assert agency.name == "Renamed Police"


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_a_rotated_key_is_followed_and_the_old_one_is_worth_nothing(
    repository: FakeRepository, directory: TufDirectory, role: str
) -> None:
    directory.refresh(repository.fetch)
    old = repository.signers[role]
    repository.rotate(role)
    repository.put("platform.json", platform_file(repository.dispatch, version=2))
    repository.publish()
    assert directory.refresh(repository.fetch).platform.version == 2
    repository.signers[role] = old
    if role == "root":
        repository.publish_root(old)
    else:
        repository.put("platform.json", platform_file(repository.dispatch, version=3))
        repository.publish()
    with pytest.raises(RefusedError) as refusal:
        directory.refresh(repository.fetch)
    assert refusal.value.code == "directory-refused"
    assert directory.view is not None
    assert directory.view.platform.version == 2


def test_a_rotated_timestamp_key_recovers_from_a_version_that_ran_ahead(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    repository.publish_timestamp(1_000)
    directory.refresh(repository.fetch)
    repository.rotate("timestamp")
    repository.put("platform.json", platform_file(repository.dispatch, version=2))
    repository.publish()
    assert directory.refresh(repository.fetch).platform.version == 2


# Threads.


def test_what_is_held_can_be_read_while_a_refresh_hangs(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    directory.look_up_agency(repository.fetch, AGENCY)
    asked, answer = threading.Event(), threading.Event()

    def slow(path: str, max_bytes: int) -> bytes:
        asked.set()
        assert answer.wait(10)
        return repository.fetch(path, max_bytes)

    thread = threading.Thread(target=directory.refresh, args=(slow,))
    thread.start()
    assert asked.wait(10)
    assert directory.view is not None
    assert AGENCY in directory.view.agencies
    assert directory.evidence_files(AGENCY)
    answer.set()
    thread.join(10)
    assert not thread.is_alive()


def test_two_threads_look_up_in_turn_and_both_are_held(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    names = [AGENCY, "us-ca-nobody", "us-ca-nothing", "us-ca-noone"]
    threads = [
        threading.Thread(target=directory.look_up_agency, args=(repository.fetch, name)) for name in names * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert directory.view is not None
    assert sorted(directory.view.agencies) == sorted(names)
