"""A disk that forgets what was not fsynced, cut at every system call.

A program runs once under strace, which writes down every call that changes a file, with its bytes. From that the
folder is built as it may be found after a power cut before any of those calls: file contents and names are two
different things, and each is durable only once its own descriptor was fsynced (a file's for its bytes, the
folder's for its names). That is less than what ext4 promises, and what POSIX does.

What was not yet durable may be there or not: `Survival` names the cases that are tried.
"""

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePath

CALLS = (
    "open,openat,creat,close,write,pwrite64,ftruncate,truncate,fallocate,rename,renameat,renameat2,link,linkat,"
    "unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat,fsync,fdatasync,sync_file_range,lseek,access,faccessat,"
    "faccessat2,dup,dup2,dup3,writev,pwritev,sendfile,copy_file_range"
)
MARK = "/power-cut-mark/"
_LINE = re.compile(r"^(?:(\d+) +)?(\w+)\((.*)\) += (-?\d+)", re.DOTALL)


class Survival(StrEnum):
    """What of the not yet durable is found after the cut."""

    NOTHING = "nothing"
    EVERYTHING = "everything"  # as after kill -9
    NAMES = "names, not bytes"
    BYTES = "bytes, not names"
    CHANCE = "each name and each file by chance"


@dataclass(frozen=True)
class Call:
    """One system call that succeeded."""

    name: str
    args: tuple[bytes | str, ...]
    result: int

    def text(self, n: int) -> str:
        """Return an argument that is a path."""
        value = self.args[n]
        return value.decode() if isinstance(value, bytes) else value

    def fd(self, n: int = 0) -> int:
        return int(self.text(n))


def is_possible() -> bool:
    """Say whether strace is here and may trace."""
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return done.returncode == 0


def trace(module: str, args: Sequence[str], log: Path) -> list[Call]:
    """Run a Python module under strace and return the calls of it that succeeded."""
    command = [
        "strace",
        "-f",
        "-xx",
        "-s",
        "100000000",
        "-e",
        f"trace={CALLS}",
        "-e",
        "signal=none",
        "-o",
        str(log),
    ]
    subprocess.run([*command, sys.executable, "-m", module, *args], check=True, cwd=Path(__file__).parents[2])
    return list(_parse(log.read_text("ascii")))


def _value(text: str) -> bytes | str:
    """Return a string's bytes, which strace wrote all in hex, or any other argument as it stands."""
    return bytes.fromhex(text.strip('"').replace("\\x", "")) if text.startswith('"') else text


def _parse(text: str) -> Iterator[Call]:
    unfinished: dict[str, str] = {}
    for line in text.splitlines():
        pid, _, rest = line.partition(" ")
        rest = rest.lstrip()
        if rest.endswith("<unfinished ...>"):
            unfinished[pid] = rest.removesuffix("<unfinished ...>").rstrip()
            continue
        if rest.startswith("<..."):
            rest = unfinished.pop(pid) + rest.partition("resumed>")[2]
        found = _LINE.match(rest)
        if found is None:
            continue
        _, name, inside, result = found.groups()
        args = tuple(_value(part) for part in inside.split(", "))
        if int(result) >= 0:
            yield Call(name, args, int(result))
        elif any(isinstance(one, bytes) and one.startswith(MARK.encode()) for one in args):
            yield Call("mark", args, 0)


@dataclass
class _File:
    """An inode: what it holds, and what of that is durable."""

    now: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


@dataclass
class _Open:
    path: str
    file: _File | None  # None: a folder
    offset: int = 0


def _apply(change: dict[str, _File | None], names: dict[str, _File]) -> None:
    for name, file in change.items():
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


class Disk:
    """Follows the calls below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._fds: dict[int, _Open] = {}
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._pending: list[dict[str, _File | None]] = []  # changes of names, each whole or not at all
        self._folders: set[str] = {self._root}
        self.marks: list[str] = []

    def apply(self, call: Call) -> bool:
        """Follow one call; say whether it changed or synced anything here."""
        if call.name == "mark":
            self.marks += [one.decode().removeprefix(MARK) for one in call.args if isinstance(one, bytes)]
            return False
        act = getattr(self, f"_{call.name}", None)
        return bool(act(call)) if act is not None else False

    # ---- the calls

    def _path(self, name: str, at: str | bytes | None = None) -> str | None:
        if isinstance(at, str) and not name.startswith("/") and at != "AT_FDCWD":
            opened = self._fds.get(int(at))
            if opened is None:
                return None
            name = f"{opened.path}/{name}"
        return name if name == self._root or name.startswith(self._root + "/") else None

    def _openat(self, call: Call) -> bool:
        path = self._path(call.text(1), call.args[0])
        self._fds.pop(call.result, None)
        if path is None:
            return False
        flags = call.text(2)
        if path in self._folders:
            self._fds[call.result] = _Open(path, None)
            return False
        created = path not in self._names
        if created:
            self._rename_to({path: _File()})
        file = self._names[path]
        self._fds[call.result] = _Open(path, file)
        if "O_TRUNC" in flags and file.now:
            file.now = bytearray()
            return True
        return created

    def _close(self, call: Call) -> bool:
        self._fds.pop(call.fd(), None)
        return False

    def _lseek(self, call: Call) -> bool:
        if (opened := self._fds.get(call.fd())) is not None:
            opened.offset = call.result
        return False

    def _put(self, opened: _Open | None, at: int, raw: bytes) -> bool:
        if opened is None or opened.file is None:
            return False
        now = opened.file.now
        now.extend(bytes(max(0, at + len(raw) - len(now))))
        now[at : at + len(raw)] = raw
        return True

    def _write(self, call: Call) -> bool:
        opened, raw = self._fds.get(call.fd()), call.args[1]
        assert isinstance(raw, bytes)
        if opened is None:
            return False
        opened.offset += call.result
        return self._put(opened, opened.offset - call.result, raw[: call.result])

    def _pwrite64(self, call: Call) -> bool:
        raw = call.args[1]
        assert isinstance(raw, bytes)
        return self._put(self._fds.get(call.fd()), call.fd(3), raw[: call.result])

    def _ftruncate(self, call: Call) -> bool:
        opened = self._fds.get(call.fd())
        if opened is None or opened.file is None:
            return False
        size, now = call.fd(1), opened.file.now
        opened.file.now = now[:size] + bytearray(max(0, size - len(now)))
        return True

    def _fallocate(self, call: Call) -> bool:
        opened = self._fds.get(call.fd())
        if opened is None or opened.file is None:
            return False
        assert call.fd(1) == 0, "a call that this disk does not follow"
        now = opened.file.now
        opened.file.now = now + bytearray(max(0, call.fd(2) + call.fd(3) - len(now)))
        return True

    def _rename(self, call: Call) -> bool:
        return self._move(self._path(call.text(0)), self._path(call.text(1)))

    def _renameat(self, call: Call) -> bool:
        return self._move(self._path(call.text(1), call.args[0]), self._path(call.text(3), call.args[2]))

    _renameat2 = _renameat

    def _move(self, old: str | None, new: str | None) -> bool:
        if old is None or new is None:
            return False
        self._rename_to({new: self._names[old], old: None})
        return True

    def _rename_to(self, change: dict[str, _File | None]) -> None:
        self._pending.append(change)
        _apply(change, self._names)

    def _unlink(self, call: Call) -> bool:
        return self._remove(self._path(call.text(0)))

    def _unlinkat(self, call: Call) -> bool:
        return self._remove(self._path(call.text(1), call.args[0]))

    def _remove(self, path: str | None) -> bool:
        if path is None or path not in self._names:
            return False
        self._rename_to({path: None})
        return True

    def _mkdir(self, call: Call) -> bool:
        # Folders are made by `init`, long before; they are taken as durable at once.
        if (path := self._path(call.text(0))) is not None:
            self._folders.add(path)
        return False

    def _fsync(self, call: Call) -> bool:
        opened = self._fds.get(call.fd())
        if opened is None:
            return False
        if opened.file is not None:
            opened.file.durable = bytes(opened.file.now)
            return True
        left = []
        for change in self._pending:
            if any(str(PurePath(name).parent) == opened.path for name in change):
                _apply(change, self._durable_names)
            else:
                left.append(change)
        self._pending = left
        return True

    _fdatasync = _fsync

    def _writev(self, call: Call) -> bool:
        assert call.fd() not in self._fds, "a call that this disk does not follow"
        return False

    _pwritev = _sendfile = _copy_file_range = _writev

    # ---- the cut

    def sync_all(self) -> None:
        """Make everything durable: a quiet moment, long after what went before."""
        self._durable_names = dict(self._names)
        self._pending = []
        for file in self._names.values():
            file.durable = bytes(file.now)

    def build(self, into: Path, survival: Survival, chance: random.Random) -> None:
        """Write the folder as it is found after a cut now."""
        names = self._durable_names
        if survival in (Survival.EVERYTHING, Survival.NAMES):
            names = self._names
        elif survival is Survival.CHANCE:
            names = dict(self._durable_names)
            for change in self._pending:
                if chance.random() < 0.5:
                    _apply(change, names)
        for folder in sorted(self._folders):
            (into / PurePath(folder).relative_to(self._root)).mkdir(parents=True, exist_ok=True)
        for name, file in names.items():
            if name.endswith("-shm"):
                continue  # shared memory: made anew by whoever opens the database first
            whole = survival in (Survival.EVERYTHING, Survival.BYTES)
            if survival is Survival.CHANCE:
                whole = chance.random() < 0.5
            (into / PurePath(name).relative_to(self._root)).write_bytes(file.now if whole else file.durable)
