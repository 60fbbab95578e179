"""附件: what the log says of a file whose bytes the vault holds; never its name, never its content."""

from typing import Annotated, Literal, get_args

from msgspec import Meta

from events.patterns import END

MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_FILES = 6
"""So many files may one report have, and so many each department's part of a call."""

FILE_PATTERN = rf"^[0-9a-f]{{64}}{END}"
FileId = Annotated[str, Meta(pattern=FILE_PATTERN)]
"""A keyed hash of the stored bytes: the same file of the same report or case has the same id.

Without the key it says nothing about the file, and the key goes with the person.
"""

FileSize = Annotated[int, Meta(ge=1, le=MAX_FILE_BYTES)]
"""In bytes, as stored."""

Image = Literal["image/jpeg", "image/png", "image/webp"]
Audio = Literal["audio/mp4", "audio/mpeg", "audio/ogg", "audio/amr", "audio/wav"]
MediaType = Literal[Image, Audio, "application/pdf"]
"""What a file is by its content, whatever its sender called it."""

IMAGES: frozenset[str] = frozenset(get_args(Image))
