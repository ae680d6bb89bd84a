"""What the directory keeps on the card, and what a submission shows of it."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tuf.api.metadata import DelegatedRole, Delegations, MetaFile, SuccinctRoles

from agent.consent import tuf_directory
from agent.consent.tuf_directory import TufDirectory
from agent.core.errors import ConfigError, RefusedError, TroubleError
from tests.consent.tuf_cases import refused
from tests.fakes.consent_directory import AGENCY, FakeRepository, agency_file, keys_of

# What stays on the card.


def test_after_a_restart_without_a_network_the_last_state_is_taken_up(
    repository: FakeRepository, tmp_path: Path
) -> None:
    folder = tmp_path / "vault" / "directory"
    assert TufDirectory(folder, repository.installed_root).load() is None
    view = TufDirectory(folder, repository.installed_root).refresh(repository.fetch)
    repository.rotate("timestamp")
    repository.publish()
    view = TufDirectory(folder, repository.installed_root).refresh(repository.fetch)
    restarted = TufDirectory(folder, repository.installed_root)
    assert restarted.load() == view
    assert restarted.look_up_agency(repository.fetch, AGENCY).agencies[AGENCY] is not None


@pytest.mark.parametrize(
    "name",
    ["timestamp.json", "snapshot.json", "targets.json", "targets/platform.json", "root_history/1.root.json"],
)
def test_a_file_that_was_changed_on_the_card_is_not_taken_up(
    repository: FakeRepository, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "directory"
    TufDirectory(folder, repository.installed_root).refresh(repository.fetch)
    file = folder / name
    file.write_bytes(file.read_bytes().replace(b"1", b"2", 1))
    restarted = TufDirectory(folder, repository.installed_root)
    assert (restarted.load() is None) is (name != "root_history/1.root.json")  # the installed root is our own copy
    assert restarted.refresh(repository.fetch).platform.version == 1


def test_a_state_that_ran_out_is_not_taken_up(tmp_path: Path) -> None:
    folder, repository = tmp_path / "directory", FakeRepository()
    TufDirectory(folder, repository.installed_root).refresh(repository.fetch)
    repository.timestamp_expires = datetime.now(UTC).replace(microsecond=0)
    repository.publish_timestamp(repository.version + 1, snapshot=repository.version)
    (folder / "timestamp.json").write_bytes(repository.served["metadata/timestamp.json"])
    assert TufDirectory(folder, repository.installed_root).load() is None


@pytest.mark.parametrize("value", ["garbage", "other role", "unsigned"])
def test_a_root_that_does_not_verify_by_itself_is_a_fault_of_the_configuration(tmp_path: Path, value: str) -> None:
    repository = FakeRepository()
    root = {
        "garbage": b"not JSON",
        "other role": repository.served["metadata/timestamp.json"],
        "unsigned": repository.sign(repository.root, repository.signers["root"][:1]),
    }[value]
    with pytest.raises(ConfigError) as error:
        TufDirectory(tmp_path, root)
    assert str(error.value).startswith("[platform] root: ")
    assert "\n" not in str(error.value)


def test_a_folder_that_can_not_be_written_is_the_disks_trouble(tmp_path: Path) -> None:
    repository = FakeRepository()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TroubleError) as error:
        TufDirectory(tmp_path / "file" / "directory", repository.installed_root)
    assert error.value.code == "directory-disk"
    directory = TufDirectory(tmp_path / "directory", repository.installed_root)
    (tmp_path / "directory" / "root_history").write_bytes(b"")
    assert refused(directory, repository) == "directory-disk"


def test_what_is_remembered_and_cached_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tuf_directory, "MAX_LOOKED_UP", 3)
    monkeypatch.setattr(tuf_directory, "MAX_CACHED_FILES", 2)
    repository = FakeRepository()
    names = [f"us-ca-pd{n}" for n in range(5)]
    for name in names[:4]:
        repository.put(f"agencies/{name}.json", agency_file(name))
    repository.publish()
    directory = TufDirectory(tmp_path, repository.installed_root)
    for name in names:
        view = directory.look_up_agency(repository.fetch, name)
    assert list(view.agencies) == names[2:]
    assert len(list((tmp_path / "targets" / "agencies").iterdir())) == 2
    assert list(directory.look_up_agency(repository.fetch, names[2]).agencies) == [names[3], names[4], names[2]]
    with pytest.raises(TroubleError):
        directory.evidence_files(names[0])


def test_what_was_fetched_once_stays_cached_while_there_is_room(tmp_path: Path) -> None:
    repository = FakeRepository()
    names = [f"us-ca-pd{n}" for n in range(4)]
    for name in names:
        repository.put(f"agencies/{name}.json", agency_file(name))
    repository.publish()
    directory = TufDirectory(tmp_path, repository.installed_root)
    for name in names:
        directory.look_up_agency(repository.fetch, name)
    cached = (tmp_path / "targets" / "agencies").iterdir()
    assert sorted(path.name for path in cached) == [f"{name}.json" for name in names]


# Evidence.


def test_the_evidence_is_what_the_vectors_bundles_hold(
    repository: FakeRepository, directory: TufDirectory
) -> None:
    repository.put("agencies/us-ca-otherpd.json", agency_file("us-ca-otherpd"))
    repository.rotate("snapshot")
    repository.publish()
    with pytest.raises(TroubleError) as error:
        directory.evidence_files(AGENCY)
    assert error.value.code == "directory-missing"
    directory.look_up_agency(repository.fetch, "us-ca-otherpd")
    directory.look_up_agency(repository.fetch, AGENCY)
    files = directory.evidence_files(AGENCY)
    bins = SuccinctRoles([], 1, repository.bits or 1, "bin")
    role = "agencies" if repository.bits is None else bins.get_role_for_target(f"agencies/{AGENCY}.json")
    assert sorted(files) == sorted(
        [
            *(
                "metadata/2.root.json",
                "metadata/timestamp.json",
                "metadata/snapshot.json",
                "metadata/targets.json",
            ),
            *(f"metadata/{role}.json", "targets/platform.json", f"targets/agencies/{AGENCY}.json"),
        ]
    )
    assert files["metadata/2.root.json"] == repository.served["metadata/2.root.json"]
    assert files["targets/platform.json"] == repository.targets["platform.json"]
    assert f"targets/agencies/{AGENCY}.json" not in directory.evidence_files("us-ca-otherpd")
    with pytest.raises(TroubleError):
        directory.evidence_files("us-ca-nobody")


def test_the_evidence_alone_leads_from_the_installed_root_to_the_agency(
    repository: FakeRepository, directory: TufDirectory, tmp_path: Path
) -> None:
    repository.rotate("targets")
    repository.publish()
    view = directory.look_up_agency(repository.fetch, AGENCY)
    files = directory.evidence_files(AGENCY)

    def from_bundle(path: str, _max_bytes: int) -> bytes:
        name = path if path.endswith(".root.json") else re.sub(r"/(?:[0-9]+|[0-9a-f]{64})\.", "/", path)
        if name not in files:
            raise RefusedError("not-found")
        return files[name]

    verifier = TufDirectory(tmp_path / "elsewhere", repository.installed_root)
    assert verifier.look_up_agency(from_bundle, AGENCY) == view


def test_the_evidence_follows_delegations_as_they_were_walked(tmp_path: Path) -> None:
    repository = FakeRepository()
    signers = repository.signers["agencies"]
    keys = keys_of(signers)

    def delegate(*names: str) -> Delegations:
        roles = {name: DelegatedRole(name, list(keys), 2, name == "last", paths=["agencies/*"]) for name in names}
        return Delegations(keys, roles=roles)

    path = f"agencies/{AGENCY}.json"
    tree = {
        "first": ({}, delegate("second")),
        "second": ({}, delegate("first")),
        "last": ({path: repository.targets[path]}, None),
    }
    repository.delegations = lambda: delegate("first", "second", "last", "never")
    repository.parts = lambda _agencies: {}
    repository.publish()
    for name, (targets, delegations) in tree.items():
        signed = repository.role(targets)
        signed.delegations = delegations
        repository.serve(name, signed, signers)
    repository.version += 1
    repository.publish_snapshot({f"{name}.json": MetaFile(repository.version - 1) for name in ("targets", *tree)})
    directory = TufDirectory(tmp_path, repository.installed_root)
    assert directory.look_up_agency(repository.fetch, AGENCY).agencies[AGENCY] is not None
    roles = [name for name in directory.evidence_files(AGENCY) if name.startswith("metadata/")]
    assert roles == [
        *("metadata/timestamp.json", "metadata/snapshot.json", "metadata/targets.json"),
        *("metadata/first.json", "metadata/second.json", "metadata/last.json"),
    ]
