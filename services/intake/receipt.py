"""Receipts: the town's letters, a keyed hash of what the sender calls the report, and a check character.

The same on every transport, computable without us by a terminal that knows its source's key, and not to be
guessed: ten of 31 characters, 49.5 bits, that only the key gives. So the receipt itself is the secret of whoever holds
it, and needs no second code; the check character finds slips and proves nothing.
"""

import hmac

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
"""31 characters that are not mistaken for each other; a prime number, so that the check finds swaps."""

HASH_CHARACTERS = 10


def make_receipt(key: bytes, town_alias: str, source: str, record: str) -> str:
    """The receipt of record ``record`` of ``source``, for a report in the town with these two letters."""
    number = int.from_bytes(hmac.digest(key, f"{source}/{record}".encode(), "sha256"))
    body = ""
    for _ in range(HASH_CHARACTERS):
        number, rest = divmod(number, len(ALPHABET))
        body += ALPHABET[rest]
    return f"{town_alias}{body}{_check(town_alias + body)}"


def read_receipt(text: str) -> str:
    """A receipt as somebody typed it, in its one true form.

    Raises:
        ValueError: when the form or the check character is wrong, so that a slip of the pen is noticed.
    """
    receipt = text.strip().upper().replace(" ", "").replace("-", "")
    if len(receipt) != 2 + HASH_CHARACTERS + 1 or any(character not in ALPHABET for character in receipt):
        raise ValueError(f"expected a receipt of {3 + HASH_CHARACTERS} letters and digits, found {text!r}")
    if _check(receipt[:-1]) != receipt[-1]:
        raise ValueError(f"expected a receipt whose check character fits, found {text!r}: look for a slip")
    return receipt


def _check(text: str) -> str:
    total = sum((place + 1) * ALPHABET.index(character) for place, character in enumerate(text))
    return ALPHABET[total % len(ALPHABET)]
