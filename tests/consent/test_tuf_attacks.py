"""The directory under attack: a hostile half of the platform, a hostile uplink, a platform that errs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadError
from tuf.api.metadata import DelegatedRole, Delegations, MetaFile, SuccinctRoles

from agent.consent.tuf_directory import TufDirectory
from agent.consent.tuf_fetcher import VaultFetcher
from agent.core.errors import RefusedError, TroubleError
from tests.consent.tuf_cases import refused
from tests.fakes.consent_directory import AGENCY, FakeRepository, agency_file, keys_of, platform_file

# What a hostile platform half, or a hostile uplink, may not.


def test_a_root_that_the_old_keys_did_not_sign_is_refused(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    directory.refresh(repository.fetch)
    repository.rotate("root", signed_by_old=False)
    assert refused(directory, repository) == "directory-refused"


@pytest.mark.parametrize("role", ["root", "targets", "agencies"])
def test_one_of_two_signatures_is_not_enough(
    repository: FakeRepository, directory: TufDirectory, role: str
) -> None:
    directory.refresh(repository.fetch)
    one = repository.signers[role][:1]
    if role == "root":
        repository.publish_root(one)
        assert refused(directory, repository) == "directory-refused"
        return
    both, repository.signers[role] = repository.signers[role], one
    repository.put("platform.json", platform_file(repository.dispatch, version=2))
    if role == "targets":
        repository.publish()
        assert refused(directory, repository) == "directory-refused"
        return
    repository.delegations = lambda: repository.delegations_to(both)
    repository.publish()
    directory.refresh(repository.fetch)
    with pytest.raises(RefusedError) as refusal:
        directory.look_up_agency(repository.fetch, AGENCY)
    assert refusal.value.code == "directory-refused"


@pytest.mark.parametrize("again", [False, True], ids=["running", "restarted"])
def test_an_older_timestamp_is_refused_even_after_a_restart(
    repository: FakeRepository, tmp_path: Path, again: bool
) -> None:
    folder = tmp_path / "directory"
    directory = TufDirectory(folder, repository.installed_root)
    old = repository.served["metadata/timestamp.json"]
    repository.publish()
    directory.refresh(repository.fetch)
    if again:
        directory = TufDirectory(folder, repository.installed_root)
    repository.bend("metadata/timestamp.json", old)
    assert refused(directory, repository) == "directory-refused"


def test_a_newer_timestamp_can_not_bring_an_older_snapshot_back(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    repository.publish()
    directory.refresh(repository.fetch)
    repository.publish_timestamp(9, snapshot=1)
    assert refused(directory, repository) == "directory-refused"


def test_a_newer_snapshot_can_not_bring_older_targets_back(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    repository.publish()
    directory.refresh(repository.fetch)
    repository.version += 1
    repository.publish_snapshot({name: MetaFile(1) for name in repository.snapshot.meta})
    assert refused(directory, repository) == "directory-refused"


def test_a_newer_snapshot_can_not_drop_a_role(repository: FakeRepository, directory: TufDirectory) -> None:
    directory.refresh(repository.fetch)
    meta = dict(repository.snapshot.meta)
    meta.popitem()
    repository.version += 1
    repository.publish_snapshot(meta)
    assert refused(directory, repository) == "directory-refused"


def test_states_can_not_be_mixed(repository: FakeRepository, directory: TufDirectory) -> None:
    names = ("snapshot", "targets")
    old = {name: repository.served[repository.metadata_path(name)] for name in names}
    old_platform = repository.targets["platform.json"]
    repository.put("platform.json", platform_file(repository.dispatch, version=2))
    repository.publish()
    for name in names:
        repository.bend(repository.metadata_path(name), old[name])
        assert refused(directory, repository) == "directory-refused"
        del repository.bent[repository.metadata_path(name)]
    repository.bend(repository.target_path("platform.json"), old_platform)
    assert refused(directory, repository) == "directory-refused"


def test_a_replayed_state_is_no_change_and_its_timestamp_goes_on_running_out(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    first = directory.refresh(repository.fetch)
    frozen = dict(repository.served)
    repository.timestamp_expires += timedelta(days=9)
    repository.publish()
    repository.served = frozen
    assert directory.refresh(repository.fetch) == first


@pytest.mark.parametrize("name", ["timestamp", "expires"])
def test_a_frozen_directory_runs_out(repository: FakeRepository, directory: TufDirectory, name: str) -> None:
    directory.refresh(repository.fetch)
    past = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
    setattr(repository, "timestamp_expires" if name == "timestamp" else "expires", past)
    repository.publish()
    assert refused(directory, repository) == "directory-expired"


def test_a_root_that_ran_out_holds_nothing(repository: FakeRepository, directory: TufDirectory) -> None:
    repository.root.expires = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
    repository.publish_root(repository.signers["root"])
    assert refused(directory, repository) == "directory-expired"


def kinds_of_path(repository: FakeRepository) -> dict[str, int]:
    return {
        "metadata/2.root.json": 32 * 1024,
        "metadata/timestamp.json": 16 * 1024,
        repository.metadata_path("snapshot"): 64 * 1024,
        repository.metadata_path("targets"): 256 * 1024,
        repository.target_path("platform.json"): len(repository.targets["platform.json"]),
    }


def test_a_file_over_its_ceiling_is_refused(repository: FakeRepository, directory: TufDirectory) -> None:
    for path, ceiling in kinds_of_path(repository).items():
        repository.bend(path, bytes(ceiling + 1))
        assert refused(directory, repository) == "directory-refused"
        del repository.bent[path]


def test_a_good_file_may_be_as_long_as_its_ceiling_and_no_longer(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    repository.rotate("timestamp")
    repository.publish()
    for path, ceiling in list(kinds_of_path(repository).items())[:-1]:
        repository.bend(path, repository.served[path].ljust(ceiling + 1))
        assert refused(directory, repository) == "directory-refused", path
        repository.bend(path, repository.served[path].ljust(ceiling))
    assert directory.refresh(repository.fetch).platform.version == 1


def test_a_signed_length_does_not_lift_a_ceiling(repository: FakeRepository, directory: TufDirectory) -> None:
    big = repository.targets["platform.json"].ljust(32 * 1024 + 1)
    repository.put("platform.json", big)
    repository.publish()
    assert refused(directory, repository) == "directory-refused"
    assert repository.limits[repository.target_path("platform.json")] == 32 * 1024


def test_garbage_is_refused_wherever_it_stands(repository: FakeRepository, directory: TufDirectory) -> None:
    for path in kinds_of_path(repository):
        for garbage in (b"", b"{}", b"\xff", b"[" * 9_000, b'{"signed":{},"signatures":[]}'):
            repository.bend(path, garbage)
            assert refused(directory, repository) == "directory-refused", (path, garbage[:9])
        del repository.bent[path]
    assert directory.refresh(repository.fetch).platform.version == 1


def test_what_is_withheld_delays_and_nothing_more(repository: FakeRepository, directory: TufDirectory) -> None:
    trouble = TroubleError("uplink", "The directory can't be reached. It is tried again by itself.")
    for path in list(kinds_of_path(repository))[1:]:
        repository.bend(path, RefusedError("not-found"))
        assert refused(directory, repository) == "directory-missing"
        repository.bend(path, trouble)
        with pytest.raises(TroubleError) as error:
            directory.refresh(repository.fetch)
        assert error.value is trouble
        repository.bend(path, RefusedError("directory-size"))
        assert refused(directory, repository) == "directory-size"
        del repository.bent[path]
    assert directory.refresh(repository.fetch).platform.version == 1


def test_a_withheld_agency_is_never_taken_for_absent(repository: FakeRepository, directory: TufDirectory) -> None:
    directory.refresh(repository.fetch)
    bins = SuccinctRoles([], 1, repository.bits or 1, "bin")
    role = "agencies" if repository.bits is None else bins.get_role_for_target(f"agencies/{AGENCY}.json")
    for path in (repository.metadata_path(role), repository.target_path(f"agencies/{AGENCY}.json")):
        repository.bend(path, RefusedError("not-found"))
        with pytest.raises(TroubleError) as error:
            directory.look_up_agency(repository.fetch, AGENCY)
        assert error.value.code == "directory-missing"
        assert directory.view is not None
        assert AGENCY not in directory.view.agencies
        del repository.bent[path]


@pytest.mark.parametrize("bad", ["x", "us-ca-examplepd\n", "../platform", "US-CA", "", "a" * 65])
def test_what_is_no_agencys_id_is_never_asked_for(
    repository: FakeRepository, directory: TufDirectory, bad: str
) -> None:
    with pytest.raises(RefusedError) as refusal:
        directory.look_up_agency(repository.fetch, bad)
    assert refusal.value.code == "directory-path"
    assert repository.asked == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "a b", ".hidden", "x" * 65, "\u00e4"])
def test_a_role_whose_name_is_no_plain_word_is_never_asked_for(tmp_path: Path, name: str) -> None:
    repository = FakeRepository()
    signers = repository.signers["agencies"]
    keys = keys_of(signers)
    role = DelegatedRole(name, list(keys), 2, True, paths=["agencies/*"])
    repository.delegations = lambda: Delegations(keys, roles={name: role})
    repository.parts = lambda agencies: {name: agencies}
    repository.publish()
    directory = TufDirectory(tmp_path / "directory", repository.installed_root)
    with pytest.raises(RefusedError) as refusal:
        directory.look_up_agency(repository.fetch, AGENCY)
    assert refusal.value.code == "directory-path"


# What the platform wrote wrong.


def test_a_platform_file_that_does_not_parse_is_refused(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    directory.refresh(repository.fetch)
    repository.put("platform.json", {"v": 1})
    repository.publish()
    assert refused(directory, repository) == "directory-refused"


def test_a_directory_without_a_platform_file_is_refused(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    del repository.targets["platform.json"]
    repository.publish()
    assert refused(directory, repository) == "directory-refused"


@pytest.mark.parametrize("value", [{"v": 1}, agency_file("us-ca-otherpd")])
def test_an_agencys_file_that_does_not_parse_is_not_held(
    repository: FakeRepository, directory: TufDirectory, value: object
) -> None:
    repository.put(f"agencies/{AGENCY}.json", value)
    repository.publish()
    before = directory.refresh(repository.fetch)
    with pytest.raises(RefusedError) as refusal:
        directory.look_up_agency(repository.fetch, AGENCY)
    assert refusal.value.code == "directory-refused"
    assert AGENCY in str(refusal.value)
    assert directory.view == before


def test_a_regions_list_is_read_and_a_missing_one_is_none(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    region = directory.region(repository.fetch, "9q8")
    assert region is not None
    assert [item.id for item in region.agencies] == [AGENCY]
    assert directory.region(repository.fetch, "9q9") is None
    with pytest.raises(RefusedError) as refusal:
        directory.region(repository.fetch, "9qa")
    assert refusal.value.code == "directory-path"
    repository.put("regions/9q8.json", {"v": 1})
    repository.publish()
    directory.refresh(repository.fetch)
    with pytest.raises(RefusedError):
        directory.region(repository.fetch, "9q8")


# The fetcher.


def test_nothing_is_fetched_without_a_limit() -> None:
    fetcher = VaultFetcher(lambda _path, _max_bytes: b"")
    with pytest.raises(DownloadError):
        fetcher.fetch("metadata/timestamp.json")
    with fetcher.download_file("metadata/timestamp.json", 5) as file:
        assert file.read() == b""
