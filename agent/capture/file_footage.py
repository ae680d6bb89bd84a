"""`file:`: a video file, or a folder of numbered pictures, as footage."""

import re
from collections.abc import Generator
from pathlib import Path

from agent.capture.paced_source import Footage
from agent.capture.pyav_input import Address, Input, Shape, Unit
from agent.core.errors import TroubleError

_NS = 1_000_000_000


def roll_file(path: Path, fps: float) -> Footage:
    """Open `path` from its start.

    Args:
        path: a file that FFmpeg reads, or a folder of pictures, in the order of the numbers in their names.
        fps: for a folder.

    Raises:
        TroubleError: "camera-missing" or "camera-unreadable".
    """
    try:
        is_folder = path.is_dir()
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    if is_folder:
        return PictureFolder(path, fps)
    return Input(Address(str(path.absolute()), str(path)))


class PictureFolder:
    """A folder's pictures as one stream.

    Raises:
        TroubleError: "camera-missing" when there is none, "camera-unreadable".
    """

    def __init__(self, folder: Path, fps: float) -> None:
        try:
            paths = sorted((path for path in folder.iterdir() if path.suffix.lower() in _PICTURES), key=_number)
        except OSError as exc:
            raise _unreadable(folder, exc) from exc
        if not paths:
            text = f"there is no JPEG or PNG in {folder}; check [camera] source"
            raise TroubleError("camera-missing", text)
        self.frame_ns = round(_NS / fps)
        self._units = self._show(paths)
        with Input(Address(str(paths[0]), str(paths[0]))) as first:
            shape = first.shape
        self.shape = Shape(shape.width, shape.height, fps, passable=False, extradata=b"", colour=shape.colour)

    def next(self) -> Unit | None:
        """Return the next picture, None at the end.

        Raises:
            TroubleError: "camera-unreadable", or "camera-changed" when one has another size.
        """
        return next(self._units, None)

    def close(self) -> None:
        """Give it back; nothing is open between two pictures."""
        self._units.close()

    def _show(self, paths: list[Path]) -> Generator[Unit, None, None]:
        for index, path in enumerate(paths):
            with Input(Address(str(path), str(path))) as picture:
                unit = picture.next()
            if unit is None:
                raise TroubleError("camera-unreadable", f"{path} is no picture; take it out of the folder")
            if (unit.frame.width, unit.frame.height) != (self.shape.width, self.shape.height):
                raise TroubleError("camera-changed", f"{path} has another size than the first picture")
            yield Unit(index * self.frame_ns, None, unit.frame)


_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".pgm", ".ppm"})


def _unreadable(path: Path, exc: OSError) -> TroubleError:
    return TroubleError("camera-unreadable", f"{path} can't be read ({exc.strerror}); check [camera] source")


def _number(path: Path) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d+", path.stem)], path.name
