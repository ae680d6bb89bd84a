"""The recovery key on paper: protocol section 17.

32 private bytes and the first 2 of their SHA-256, Crockford base32, most significant bit first, three zero bits
at the end: 55 characters in groups of 5. Readers forgive case, spaces and the letters that look like digits.
"""

import hashlib
from typing import Final

from agent.core.errors import RefusedError
from agent.core.keys import KEY_BYTES

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE: Final = {char: value for value, char in enumerate(_ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_CHECK_BYTES: Final = 2
_CHARACTERS: Final = 55
_GROUP: Final = 5
_PAD_BITS: Final = _CHARACTERS * 5 - (KEY_BYTES + _CHECK_BYTES) * 8


def encode_recovery(private: bytes) -> str:
    """Write a 32-byte X25519 private key for paper."""
    number = int.from_bytes(private + hashlib.sha256(private).digest()[:_CHECK_BYTES], "big") << _PAD_BITS
    chars = "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_CHARACTERS)))
    return "-".join(chars[start : start + _GROUP] for start in range(0, _CHARACTERS, _GROUP))


def decode_recovery(text: str) -> bytes:
    """Read a recovery key as a person typed it.

    Raises:
        RefusedError: E_RECOVERY, and which of the rules it breaks.
    """
    chars = text.upper().translate({ord(char): None for char in "- \t\r\n"})
    if len(chars) != _CHARACTERS:
        raise RefusedError("E_RECOVERY", f"a recovery key has {_CHARACTERS} characters, this one {len(chars)}")
    number = 0
    for char in chars:
        if char not in _VALUE:
            raise RefusedError("E_RECOVERY", f"{char!r} does not occur in a recovery key")
        number = number << 5 | _VALUE[char]
    if number & (1 << _PAD_BITS) - 1:
        raise RefusedError("E_RECOVERY", "the last character is wrong")
    raw = (number >> _PAD_BITS).to_bytes(KEY_BYTES + _CHECK_BYTES, "big")
    private = raw[:KEY_BYTES]
    if hashlib.sha256(private).digest()[:_CHECK_BYTES] != raw[KEY_BYTES:]:
        raise RefusedError("E_RECOVERY", "a character is wrong: compare it with the card, group by group")
    return private
