"""Only a sealed segment that was approved can be read for sending."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.errors import RefusedError
from agent.core.ids import Sha256, sha256_hex
from agent.core.segment_file import MAGIC, MAX_FILE_BYTES
from agent.uplink.sealed_fd import SealedFile

BODY = MAGIC + os.urandom(700_000)
BODY_SHA256 = sha256_hex(BODY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.seg"
    path.write_bytes(BODY)
    return path


@pytest.fixture
def fd(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


def refused(fd: int, length: int = len(BODY), sha256: Sha256 = BODY_SHA256) -> str:
    with pytest.raises(RefusedError) as caught:
        SealedFile(fd, length, sha256)
    assert caught.value.code == "segment"
    return str(caught.value)


def test_the_approved_file_is_given_in_parts(fd: int) -> None:
    parts = list(SealedFile(fd, len(BODY), sha256_hex(BODY)).parts(0, 100_000))
    assert [offset for offset, _ in parts] == [0, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 700_000]
    assert b"".join(part for _, part in parts) == BODY


def test_it_goes_on_from_any_offset(fd: int) -> None:
    source = SealedFile(fd, len(BODY), sha256_hex(BODY))
    assert b"".join(part for _, part in source.parts(123_457, 99_991)) == BODY[123_457:]
    assert list(source.parts(len(BODY), 10)) == []


def test_another_length_is_refused(fd: int) -> None:
    assert "length" in refused(fd, length=len(BODY) - 1)
    assert "length" in refused(fd, length=len(BODY) + 1)
    assert "length" in refused(fd, length=0)


def test_every_length_that_the_recorder_can_seal_can_be_sent(tmp_path: Path) -> None:
    path = tmp_path / "long.seg"
    path.write_bytes(MAGIC)
    os.truncate(path, 65 * 1024 * 1024)
    fd = os.open(path, os.O_RDONLY)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        assert SealedFile(fd, 65 * 1024 * 1024, Sha256(digest)).length == 65 * 1024 * 1024
        os.truncate(path, MAX_FILE_BYTES + 1)
        assert "length" in refused(fd, length=MAX_FILE_BYTES + 1)
    finally:
        os.close(fd)


def test_another_hash_is_refused_before_a_byte_is_given(fd: int) -> None:
    assert "not the one" in refused(fd, sha256=sha256_hex(b"other"))


def test_a_writable_descriptor_is_refused(path: Path) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        assert "reading only" in refused(fd)
    finally:
        os.close(fd)


def test_a_pipe_a_folder_and_a_closed_descriptor_are_refused(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert "reading only" in refused(reading)
        assert "reading only" in refused(folder)
    finally:
        for fd in (reading, writing, folder):
            os.close(fd)
    assert "not open" in refused(reading)


def test_a_file_that_is_not_sealed_is_refused(tmp_path: Path) -> None:
    plain = b"\0\0\0 ftypisom" + bytes(1000)
    path = tmp_path / "plain.mp4"
    path.write_bytes(plain)
    fd = os.open(path, os.O_RDONLY)
    try:
        assert "not a sealed segment" in refused(fd, len(plain), sha256_hex(plain))
    finally:
        os.close(fd)


def test_a_file_that_changes_on_the_way_never_becomes_complete(fd: int, path: Path) -> None:
    given = 0
    with pytest.raises(RefusedError, match="not the one"):
        for offset, part in SealedFile(fd, len(BODY), sha256_hex(BODY)).parts(0, 100_000):
            given += len(part)
            if offset == 300_000:
                with path.open("r+b") as file:
                    file.seek(500_000)
                    file.write(b"changed")
    assert given == 700_000 < len(BODY)


def test_a_file_that_becomes_shorter_ends_the_reading(fd: int, path: Path) -> None:
    parts = SealedFile(fd, len(BODY), sha256_hex(BODY)).parts(0, 100_000)
    next(parts)
    with path.open("r+b") as file:
        file.truncate(150_000)
    with pytest.raises(RefusedError, match="shorter"):
        list(parts)
