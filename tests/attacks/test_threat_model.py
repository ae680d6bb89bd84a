"""docs/design/threat-model.md: every attack names a test that exists, and there are enough of them."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCUMENT = (TESTS.parent / "docs" / "design" / "threat-model.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| (.+) \|$", DOCUMENT, re.MULTILINE)


def names_in(path: Path) -> set[str]:
    """Return the tests of a file: functions, and classes made for pytest."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def test_every_attack_names_a_test_that_exists() -> None:
    missing = []
    for number, row in ROWS:
        path, _, name = row.split("|")[-1].strip(" `").partition("::")
        if not name or not (TESTS / path).is_file() or name not in names_in(TESTS / path):
            missing.append(f"{number}: {path}::{name}")
    assert missing == []


def test_there_are_at_least_36_attacks_numbered_in_order_and_all_different() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, len(ROWS) + 1))
    assert len(ROWS) >= 36
    assert len({row.split("|")[-1] for _, row in ROWS}) == len(ROWS)


def test_every_guarantee_is_attacked_and_every_attack_has_a_guarantee() -> None:
    stated = set(re.findall(r"\*\*(G\d+)\.", DOCUMENT))
    attacked = {name for _, row in ROWS for name in re.findall(r"\bG\d+\b", row.split("|")[2])}
    assert attacked == stated
    assert all(re.search(r"G\d", row.split("|")[2]) for _, row in ROWS)
    assert DOCUMENT.count("Mitigates\n  against") + DOCUMENT.count("Mitigates against") == len(stated)
