"""Runs the tests of one module against each of its mutants and says which of them nobody noticed.

One process imports pytest, hypothesis and cryptography once; for each mutant a child is forked that imports the
changed module in the place of the real one and runs the tests until the first fails. A child that hangs is killed
and counts as noticed.
"""

import ast
import os
import signal
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Final

import pytest

from tests.mutation.mutants import mutants

ROOT: Final = Path(__file__).parents[2]
CHILD_SECONDS: Final = 60


@dataclass(frozen=True)
class Campaign:
    """One module, its tests, and the survivors that are explained: `where` of the mutant, and why it is none."""

    module: str
    tests: tuple[str, ...]
    explained: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return ROOT / (self.module.replace(".", "/") + ".py")


@dataclass
class Outcome:
    """What became of the mutants of one campaign."""

    killed: int = 0
    explained: list[str] = field(default_factory=list)
    survived: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.killed + len(self.explained) + len(self.survived)


class _Mutated(MetaPathFinder, Loader):
    """Imports one module from a changed tree."""

    def __init__(self, name: str, tree: ast.Module, path: Path) -> None:
        self._name, self._tree, self._path = name, tree, path

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return ModuleSpec(fullname, self, origin=str(self._path))

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self._tree, str(self._path), "exec"), module.__dict__)


def _child(campaign: Campaign, tree: ast.Module) -> int:
    """Run the tests against one mutant in this process; return 0 when nobody noticed."""
    import hypothesis  # noqa: PLC0415 - a profile only for the child

    hypothesis.settings.register_profile("mutants", max_examples=20, database=None, deadline=None)
    hypothesis.settings.load_profile("mutants")
    sys.meta_path.insert(0, _Mutated(campaign.module, tree, campaign.path))
    # Hypothesis was imported by the parent, which pytest would complain about.
    quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning", "-p", "no:cacheprovider"]
    options = ["-x", "-q", "--no-header", *quiet]
    return int(pytest.main([*options, *(str(ROOT / name) for name in campaign.tests)]))


def _start(campaign: Campaign, tree: ast.Module) -> int:
    """Fork a child that runs the tests against one mutant; return its process id."""
    pid = os.fork()
    if pid != 0:
        return pid
    signal.alarm(CHILD_SECONDS)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    status = 1
    try:
        status = _child(campaign, tree)
    finally:
        os._exit(status)


def run(campaign: Campaign) -> Outcome:
    """Run the whole campaign, as many children at once as there are cores."""
    if campaign.module in sys.modules:
        raise RuntimeError(f"{campaign.module} is imported already; run `python -m tests.mutation`")
    source = campaign.path.read_text(encoding="utf-8")
    if os.waitpid(_start(campaign, ast.parse(source)), 0)[1] != 0:
        raise RuntimeError(f"the tests of {campaign.module} fail without any change")
    outcome = Outcome()
    running: dict[int, str] = {}
    for mutant in mutants(source):
        if len(running) == len(os.sched_getaffinity(0)):
            _collect(campaign, outcome, running)
        running[_start(campaign, mutant.tree)] = mutant.where
    while running:
        _collect(campaign, outcome, running)
    return outcome


def _collect(campaign: Campaign, outcome: Outcome, running: dict[int, str]) -> None:
    """Wait for one child and write down what became of its mutant."""
    pid, status = os.wait()
    where = running.pop(pid)
    if status != 0:
        outcome.killed += 1
    elif where in campaign.explained:
        outcome.explained.append(where)
    else:
        outcome.survived.append(where)
