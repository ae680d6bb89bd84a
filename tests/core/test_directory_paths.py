"""The files of a directory: a closed set of paths, each with its ceiling."""

import pytest

from agent.core.directory_paths import ceiling_of
from agent.core.errors import RefusedError


@pytest.mark.parametrize(
    "path",
    [
        *("", "/metadata/timestamp.json", "metadata/../x.json", "metadata/a/b.json", "metadata/0.root.json"),
        *(
            "metadata/timestamp.json\n",
            "metadata/a%2Fb.json",
            "targets/x.json",
            "targets/agencies/../platform.json",
        ),
        *(
            "targets/agencies/UPPER.json",
            f"targets/{'f' * 65}.platform.json",
            "targets/regions/9qa.json",
            "https://evil.example/metadata/timestamp.json",
        ),
    ],
)
def test_a_path_of_another_form_is_refused(path: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        ceiling_of(path)
    assert refusal.value.code == "directory-path"


@pytest.mark.parametrize(
    ("path", "ceiling"),
    [
        ("metadata/12.root.json", 32_768),
        ("metadata/timestamp.json", 16_384),
        ("metadata/3.snapshot.json", 65_536),
        ("metadata/targets.json", 262_144),
        ("metadata/7.bin-0a.json", 262_144),
        ("targets/platform.json", 32_768),
        (f"targets/agencies/{'0' * 64}.us-ca-examplepd.json", 32_768),
        ("targets/regions/9q8.json", 32_768),
    ],
)
def test_each_kind_of_file_has_its_ceiling(path: str, ceiling: int) -> None:
    assert ceiling_of(path) == ceiling
