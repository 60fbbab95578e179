"""附件检查: what may be kept of a file that somebody sent, known by its content alone. Pure.

Images are decoded and written anew, so that nothing of them is left but what can be seen: no EXIF, no place where they
were taken, no hidden thumbnail, nothing that was appended. Recordings and documents are kept as they came.
"""

from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageOps

from events.file import IMAGES, MAX_FILE_BYTES, MediaType
from services.intake.kinds import KINDS, kind_of
from services.runtime.errors import HujiaoError

MAX_PIXELS = 40_000_000
"""Three times a telephone's usual photo; decoding takes six bytes of memory for each."""

_QUALITY = 88


class BadFile(HujiaoError):
    """A file that is not kept. The text says what was expected and what was found."""


class TooLarge(BadFile):
    """More bytes or pixels than we keep; a smaller copy helps."""


class UnknownKind(BadFile):
    """Content of no kind that we keep, whatever its sender called it."""


class Unreadable(BadFile):
    """It begins like a kind that we keep and is broken."""


class CleanFile(NamedTuple):
    """What is kept of a file."""

    media_type: MediaType
    content: bytes


def clean(sent: bytes) -> CleanFile:
    """What is kept of the bytes that somebody sent. The same bytes give the same; a large image takes seconds.

    Raises:
        TooLarge: for more than `MAX_FILE_BYTES`, or an image of more than `MAX_PIXELS`.
        UnknownKind: for anything but `KINDS`.
        Unreadable: for an image that cannot be decoded to its end.
    """
    if len(sent) > MAX_FILE_BYTES:
        raise TooLarge(f"file: expected at most {MAX_FILE_BYTES} bytes, found {len(sent)}")
    kind = kind_of(sent)
    if kind is None:
        raise UnknownKind(f"file: expected {KINDS} by its content, found {len(sent)} bytes of something else")
    content = _written_anew(sent, kind) if kind in IMAGES else sent
    if len(content) > MAX_FILE_BYTES:
        raise TooLarge(f"file: expected at most {MAX_FILE_BYTES} bytes once written anew, found {len(content)}")
    return CleanFile(kind, content)


def _written_anew(sent: bytes, kind: MediaType) -> bytes:
    form = kind.removeprefix("image/").upper()
    try:
        with Image.open(BytesIO(sent), formats=(form,)) as image:
            _bounded(image.width, image.height)
            upright = _of_eight_bits(ImageOps.exif_transpose(image))
        seen = upright.convert(_mode(upright, form))
    except TooLarge:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLarge(f"file: expected at most {MAX_PIXELS} pixels, found more: {error}") from error
    except Exception as error:
        raise Unreadable(f"file: expected {kind} that can be decoded, found it broken: {error}") from error
    seen.info.clear()
    written = BytesIO()
    seen.save(written, form, quality=_QUALITY)
    return written.getvalue()


def _bounded(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise TooLarge(f"file: expected at most {MAX_PIXELS} pixels, found {width} by {height}")


def _of_eight_bits(image: Image.Image) -> Image.Image:
    """Scans of sixteen bits, which would come out white, as they look."""
    if not image.mode.startswith("I"):
        return image
    return image.convert("I").point(lambda value: value / 256).convert("L")


def _mode(image: Image.Image, form: str) -> str:
    """In which colours an image is written: grey if it is, seen through if it can be."""
    colours = "L" if image.mode in {"1", "L", "LA"} and form != "WEBP" else "RGB"
    return colours + ("A" if form != "JPEG" and image.has_transparency_data else "")
