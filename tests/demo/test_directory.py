"""The demo's directory is a real TUF repository: python-tuf's client says so."""

import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from tuf.api.exceptions import DownloadHTTPError, RepositoryError
from tuf.ngclient import FetcherInterface, Updater

from demo.agency import Agency
from demo.certs import Authority, Certificate
from demo.directory import Directory
from demo.directory_server import DirectoryServer
from demo.keys import OpenKey, SignKey

NOW_S = int(time.time())


class Fetcher(FetcherInterface):
    def __init__(self, context: ssl.SSLContext) -> None:
        self._pool = urllib3.PoolManager(ssl_context=context)

    def _fetch(self, url: str) -> Iterator[bytes]:
        answer = self._pool.request("GET", url, retries=False, timeout=10)
        if answer.status != 200:
            raise DownloadHTTPError("no", answer.status)
        yield answer.data
        self._pool.clear()


class Client:
    """A device's TUF client, with its own memory."""

    def __init__(self, server: DirectoryServer, authority: Authority, folder: Path) -> None:
        self._server, self._authority, self._folder = server, authority, folder
        self._root = server.directory.root_json
        folder.mkdir()

    def get(self, path: str) -> Any:
        updater = Updater(
            metadata_dir=str(self._folder),
            metadata_base_url=f"{self._server.url}/metadata/",
            target_dir=str(self._folder),
            target_base_url=f"{self._server.url}/targets/",
            fetcher=Fetcher(self._authority.client_context()),
            bootstrap=self._root,
        )
        found = updater.get_targetinfo(path)
        if found is None:
            return None
        return json.loads(Path(updater.download_target(found, str(self._folder / "target"))).read_bytes())


def make(*, consistent: bool = True, bins: int | None = None) -> Directory:
    return Directory(
        now_s=NOW_S,
        dispatch=[SignKey()],
        receipt=[SignKey()],
        endpoints={"ep1": {"host": "localhost", "port": 1, "base": "/up"}},
        agencies=[Agency().directory_file(), Agency(id="us-ca-other").directory_file()],
        consistent_snapshot=consistent,
        hash_bins_bits=bins,
    )


@pytest.fixture(
    params=[(True, None), (False, None), (True, 3), (False, 3)], ids=["flat", "plain", "bins", "plain-bins"]
)
def server(request: pytest.FixtureRequest, certificate: Certificate) -> Iterator[DirectoryServer]:
    consistent, bins = request.param
    server = DirectoryServer(make(consistent=consistent, bins=bins), certificate)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: DirectoryServer, authority: Authority, tmp_path: Path) -> Client:
    return Client(server, authority, tmp_path / "client")


def test_a_real_client_gets_every_target(client: Client, server: DirectoryServer) -> None:
    assert client.get("platform.json") == server.directory.platform
    assert client.get("agencies/us-ca-examplepd.json") == server.directory.agencies["us-ca-examplepd"]
    assert [one["id"] for one in client.get("regions/9q8.json")["agencies"]] == ["us-ca-examplepd", "us-ca-other"]
    assert client.get("agencies/nobody.json") is None


def test_every_change_raises_the_version_and_reaches_a_client(client: Client, server: DirectoryServer) -> None:
    directory = server.directory
    assert client.get("platform.json")["version"] == 1
    directory.suspend("us-ca-examplepd")
    assert client.get("platform.json")["version"] == 2
    assert client.get("agencies/us-ca-examplepd.json")["status"] == "suspended"
    new = SignKey()
    directory.rotate_dispatch(new, keep_old=False)
    assert [key["kid"] for key in client.get("platform.json")["dispatch"]] == [new.kid]
    directory.revoke(new.kid)
    assert client.get("platform.json")["dispatch"] == []
    enc = OpenKey()
    directory.rotate_agency_enc("us-ca-other", enc)
    assert [key["kid"] for key in client.get("agencies/us-ca-other.json")["enc"]] == [enc.kid]
    assert client.get("platform.json")["version"] == 5


def test_a_rotated_root_is_followed(client: Client, server: DirectoryServer) -> None:
    client.get("platform.json")
    server.directory.rotate_root()
    server.directory.publish()
    assert client.get("platform.json")["version"] == 2


def test_a_root_that_the_old_one_did_not_sign_is_refused(client: Client, server: DirectoryServer) -> None:
    client.get("platform.json")
    server.directory.rotate_root(signed_by_old=False)
    with pytest.raises(RepositoryError):
        client.get("platform.json")


def test_what_is_withheld_or_replaced_is_noticed(client: Client, server: DirectoryServer) -> None:
    client.get("platform.json")
    old = server.directory.files["metadata/timestamp.json"]
    server.directory.publish()
    client.get("platform.json")
    server.replaced["metadata/timestamp.json"] = old
    with pytest.raises(RepositoryError):
        client.get("platform.json")
    server.replaced.clear()
    server.withheld.add("metadata/timestamp.json")
    with pytest.raises(DownloadHTTPError):
        client.get("platform.json")
