"""`python -m tests.fuzz.guided TARGET [libFuzzer options] CORPUS`: one target under atheris, in this process."""

import sys

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # only `make fuzz` installs it

with atheris.instrument_imports(include=["agent", "tuf"]):
    from tests.fuzz.targets import load

    TARGET = load(sys.argv[1])


def main() -> None:
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGET.one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
