"""The attributes of CloudEvents 1.0.2: what may stand in one, and how its value is written where all is text."""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote_to_bytes

MAX_CHARACTERS = 2048
MAX_INTEGER = 2**31 - 1
"""CloudEvents' integers are signed and have 32 bits."""

CORE = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype"})
NAME = re.compile(r"[a-z0-9]+")

_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_CLOCK}:[0-5][0-9](\.[0-9]+)?([Zz]|[+-]{_CLOCK})")
_NO_TEXT = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
"""Control characters, surrogates and noncharacters, which no attribute may hold."""

_HARMLESS = re.compile(rf"%|{_NO_TEXT.pattern}")
_IN_HEADERS = re.compile(r"[\x20-\x7e\t]*")
_AS_THEY_ARE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_WIDEST = 2**64
_SHOWN = 80


class BadEvent(Exception):
    """What is no CloudEvent of version 1.0.2, or does not hold what its type promises. Never send it again as it is.

    ``event`` is the event's id, as far as it could be read.
    """

    def __init__(self, attribute: str, expected: str, found: str, event: str = "") -> None:
        self.attribute, self.expected, self.found, self.event = shown(attribute), expected, found, event
        super().__init__(f"{self.attribute}: expected {expected}, found {found}")


def text_of(name: str, value: Any) -> str:
    """The text of an attribute, which AMQP's clients also write as bytes, an integer, a boolean or a time.

    Raises:
        BadEvent: for anything else.
    """
    match value:
        case str():
            return value
        case bytes() | bytearray():
            try:
                return value.decode()
            except UnicodeDecodeError as error:
                raise BadEvent(name, "text in UTF-8", quoted(bytes(value))) from error
        case int() if abs(value) < _WIDEST:
            return as_text(value)
        case datetime():
            at = value.replace(tzinfo=UTC) if value.tzinfo is None else value  # AMQP's times are UTC
            return rfc3339(in_utc(name, at))
        case _:
            raise BadEvent(name, "text", f"a value of type {type(value).__name__}")


def extension_of(name: str, value: Any) -> str | int:
    """The value of an attribute beyond the core: booleans and integers of 32 bits stay what they are.

    Raises:
        BadEvent: for what CloudEvents has no type for.
    """
    return value if isinstance(value, int) and _fits(value) else text_of(name, value)


def time_of(text: str) -> datetime:
    """The time, in UTC, of RFC 3339 text with an offset.

    Raises:
        BadEvent: for other text.
    """
    if not _TIME.fullmatch(text):
        raise BadEvent("time", "RFC 3339 with an offset such as 2026-11-23T09:10:00+08:00", quoted(text))
    try:
        at = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise BadEvent("time", "a time of the calendar", quoted(text)) from error
    return in_utc("time", at)


def in_utc(name: str, at: datetime) -> datetime:
    """The same time in UTC.

    Raises:
        BadEvent: when it has no offset, or UTC has no such year.
    """
    if at.tzinfo is None:
        raise BadEvent(name, "a time with an offset", f"none in {at.isoformat()}")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise BadEvent(name, "a time of the years 1 to 9999 in UTC", at.isoformat()) from error


def rfc3339(at: datetime) -> str:
    """An aware time as text, in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def as_text(value: str | int) -> str:
    """A value as CloudEvents writes it where everything is text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def check_text(name: str, text: str) -> None:
    """See that text may stand in an attribute.

    Raises:
        BadEvent: when it is too long or holds what CloudEvents does not allow.
    """
    if len(text) > MAX_CHARACTERS:
        raise BadEvent(name, f"at most {MAX_CHARACTERS} characters", f"{len(text)}")
    if not (text.isascii() and text.isprintable()) and _NO_TEXT.search(text):
        raise BadEvent(name, "no control characters and no noncharacters", quoted(text))


def check_extension(name: str, value: str | int) -> None:
    """See that an attribute beyond the core may have this name and value.

    Raises:
        BadEvent: when it may not.
    """
    if not NAME.fullmatch(name) or len(name) > MAX_CHARACTERS or name in CORE or name in ("data", "data_base64"):
        raise BadEvent(name, "an extension's name of lower-case letters and digits", quoted(name))
    if isinstance(value, str):
        check_text(name, value)
    elif not _fits(value):
        raise BadEvent(name, "an integer of 32 bits", str(value))


def percent_encoded(text: str) -> str:
    """Text as HTTP's binding writes it in a header: printable ASCII without space, quotation mark and per cent."""
    return quote(text, safe=_AS_THEY_ARE)


def percent_decoded(name: str, header: str) -> str:
    """The text of a header of HTTP: a quoted string is unwrapped, then one round of percent-decoding.

    Raises:
        BadEvent: when the header is not printable ASCII, or not UTF-8 below it.
    """
    text = header.strip(" \t")
    if not _IN_HEADERS.fullmatch(text):
        raise BadEvent(name, "printable ASCII with all else percent-encoded", quoted(text))
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise BadEvent(name, "percent-encoded UTF-8", quoted(text)) from error


def harmless(text: str) -> str:
    """Any text in a form that may stand in an attribute: only what may not, and the per cent sign, is encoded."""
    return _HARMLESS.sub(lambda found: quote(found[0], safe=""), text)


def as_it_was(name: str, text: str) -> str:
    """The text that was made `harmless`.

    Raises:
        BadEvent: when it was not made so.
    """
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError as error:
        raise BadEvent(name, "percent-encoded UTF-8", quoted(text)) from error


def quoted(value: str | bytes) -> str:
    """What was found, in quotation marks, short enough for an answer and a log line."""
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN]) + ("…" if len(value) > _SHOWN else "")


def shown(text: object) -> str:
    """A text of somebody else's, short enough for an answer and a log line."""
    said = str(text)
    return said if len(said) <= _SHOWN else said[:_SHOWN] + "…"


def _fits(value: int) -> bool:
    return -MAX_INTEGER - 1 <= value <= MAX_INTEGER
