"""The demo's own words: invented reports, notes and replies, from `reports.toml` beside this file."""

import tomllib
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from events.report import Appeal, Channel


class Wording(Struct, frozen=True, forbid_unknown_fields=True):
    """One way to tell of a matter. ``matter`` is what its author meant; the system never sees it."""

    matter: str
    channel: Channel
    appeal: Appeal
    title: str
    text: str
    anonymous: bool = False
    place: str = ""


class People(Struct, frozen=True, forbid_unknown_fields=True):
    """Invented names."""

    surnames: tuple[str, ...]
    given: tuple[str, ...]


class Replies(Struct, frozen=True, forbid_unknown_fields=True):
    """What simulated departments write."""

    notes: tuple[str, ...]
    results: tuple[str, ...]
    public: tuple[str, ...]


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    wording: tuple[Wording, ...]
    people: People
    replies: Replies


@cache
def demo_words() -> Words:
    """The words of the demo."""
    content = (Path(__file__).parent / "reports.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(content), Words)
