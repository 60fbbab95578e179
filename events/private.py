"""Words that must not stand in the log: in clear while they are in hand, encrypted everywhere else."""

from msgspec import Struct


class Sealed(Struct, frozen=True, omit_defaults=True, tag_field="private", tag="sealed"):
    """Private words as the log holds them: ``box`` opens only with the vault's key of stream ``key``.

    Once that key is destroyed nobody can read the words again, and the log still verifies.
    """

    key: str
    box: bytes


Words = str | Sealed
"""A field of a request for free text: in clear from its author, encrypted once the ledger has it."""


def sealed(words: object) -> Sealed:
    """The encrypted words of a request that has passed the ledger's door.

    Raises:
        TypeError: if they are still in clear, which must never reach a fact.
    """
    if isinstance(words, Sealed):
        return words
    raise TypeError(f"expected words encrypted by the vault, found {type(words).__name__} in clear")
