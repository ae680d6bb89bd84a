"""Which addresses uplink may talk to."""

import pytest

from agent.core.errors import ConfigError
from agent.uplink.addresses import (
    BrokerAddress,
    HttpsAddress,
    broker_address,
    directory_address,
    is_host,
    is_loopback,
    is_public,
)

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "192.0.2.7",
    "224.0.0.1",
    "239.1.1.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00::1",
    "ff02::1",
    "ff0e::1",
    "::ffff:192.168.1.1",
    "::ffff:127.0.0.1",
    "2002:c0a8:0101::1",
    "64:ff9b::c0a8:0101",
    "2001:db8::1",
    "localhost",
    "upload.example",
    "",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_of_the_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


def test_loopback_is_told_from_other_addresses() -> None:
    assert is_loopback("127.8.8.8")
    assert is_loopback("::1")
    assert not is_loopback("10.0.0.1")
    assert not is_loopback("localhost")


def test_a_broker_address_has_a_default_port() -> None:
    assert broker_address("mqtts://broker.example") == BrokerAddress("broker.example", 8883, tls=True)
    assert broker_address("mqtts://broker.example:443") == BrokerAddress("broker.example", 443, tls=True)


@pytest.mark.parametrize(
    ("url", "host"),
    [("mqtt://localhost:1884", "127.0.0.1"), ("mqtt://127.0.0.1", "127.0.0.1"), ("mqtt://[::1]", "::1")],
)
def test_plain_mqtt_goes_to_a_numeric_loopback_address(url: str, host: str) -> None:
    address = broker_address(url)
    assert (address.host, address.tls) == (host, False)


@pytest.mark.parametrize(
    "url",
    [
        "mqtt://broker.example",
        "mqtt://192.168.1.5",
        "mqtt://0.0.0.0",
        "tcp://localhost",
        "mqtts://",
        "mqtts://user@broker.example",
        "mqtts://user:word@broker.example",
        "mqtts://broker.example/path",
        "mqtts://broker.example?x=1",
        "mqtts://broker.example:0",
        "mqtts://broker.example:99999",
        "mqtts://bro ker",
        "broker.example",
    ],
)
def test_a_broker_url_of_another_form_is_a_config_error_that_names_the_key(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[platform\] broker = "):
        broker_address(url)


def test_a_directory_address_keeps_its_path() -> None:
    assert directory_address("https://d.example/db/") == HttpsAddress("d.example", 443, "/db")
    assert directory_address("https://d.example:8443") == HttpsAddress("d.example", 8443, "")


@pytest.mark.parametrize(
    "url", ["http://d.example", "https://a@d.example", "https://d.example?x", "https://d.example#x"]
)
def test_a_directory_url_of_another_form_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[platform\] directory = "):
        directory_address(url)


@pytest.mark.parametrize("host", ["up.example", "10.0.0.1", "2606:4700::1", "a", "x-y.example"])
def test_names_and_numbers_are_hosts(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize(
    "host", ["", "-x", "x-", "a b", "a\r\nb", "a/b", "a@b", "a:1", "ä.example", "x" * 254, None, 7]
)
def test_nothing_else_is_a_host(host: object) -> None:
    assert not is_host(host)
