"""Of a Location header only the last path segment is used (protocol section 13)."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.errors import RefusedError
from agent.uplink.location import is_location, location_segment

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "locations.json").read_bytes())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_location_gives_the_segment_of_the_vectors(case: dict[str, str | None]) -> None:
    location = case["location"]
    assert isinstance(location, str)
    if case["segment"] is None:
        with pytest.raises(RefusedError) as caught:
            location_segment(location)
        assert caught.value.code == "location"
    else:
        assert location_segment(location) == case["segment"]


@pytest.mark.parametrize("location", ["https://evilhost12", "//evilhost12", "https:evilhost12", "x://"])
def test_a_host_is_never_taken_for_an_upload(location: str) -> None:
    with pytest.raises(RefusedError):
        location_segment(location)


@pytest.mark.parametrize("value", [None, 12345678, "short", "x" * 129, "has/slash1", "line\nbreak1"])
def test_only_the_protocols_form_names_an_upload(value: object) -> None:
    assert not is_location(value)


@given(st.text())
def test_whatever_a_server_says_the_path_it_leads_to_is_the_endpoints(location: str) -> None:
    """Invariant: the answer is refused, or is one plain path segment that was in it."""
    try:
        segment = location_segment(location)
    except RefusedError:
        return
    assert is_location(segment)
    assert location.endswith(segment)
    assert not set(segment) & set("/\\.%?#: \r\n")


@given(st.from_regex(r"(https?:)?//[a-z.:@0-9]{1,20}(/[a-z.]{0,5}){0,3}/[A-Za-z0-9_-]{8,20}", fullmatch=True))
def test_scheme_host_and_folder_never_matter(location: str) -> None:
    assert location_segment(location) == location.rpartition("/")[2]
