"""文件类型: what a file is by its content; only kinds that are kept are known here, everything else is none.

Libraries that know hundreds of kinds look at the first bytes and guess; these nine are looked at a little closer, so
that what merely begins like one of them is none. Nothing here decodes anything.
"""

import re
from collections.abc import Callable

from events.file import MediaType

KINDS = "a JPEG, PNG or WebP image, MP4, MP3, Ogg, AMR or WAV sound or a PDF document"

_PDF_BEGINS = re.compile(rb"%PDF-[12]\.\d[\r\n ]")
_PDF_TAIL = 2048
_TRACK = re.compile(rb"hdlr.{8}(vide|soun)", re.DOTALL)
_OGG_SOUND = (b"OpusHead", b"\x01vorbis", b"Speex   ")
_OGG_PAGE = 27
_ID3 = 10
_KBIT_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBIT_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_HERTZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_MPEG_1, _LAYER_3 = 3, 1


def kind_of(content: bytes) -> MediaType | None:
    """What a file is, ``None`` when it is nothing that we keep."""
    return next((kind for kind, fits in _KINDS.items() if fits(content)), None)


def _is_pdf(content: bytes) -> bool:
    return _PDF_BEGINS.match(content) is not None and b"%%EOF" in content[-_PDF_TAIL:]


def _is_mp4_sound(content: bytes) -> bool:
    """Boxes whose tracks are sound alone: recorders write it under many brands."""
    return content[4:8] == b"ftyp" and set(_TRACK.findall(content)) == {b"soun"}


def _is_ogg_sound(content: bytes) -> bool:
    if not content.startswith(b"OggS") or len(content) <= _OGG_PAGE:
        return False
    first = _OGG_PAGE + content[_OGG_PAGE - 1]
    return content[first:].startswith(_OGG_SOUND)


def _is_mp3(content: bytes) -> bool:
    """Two frames in a row: a single frame's first two bytes stand in too many files."""
    start = 0
    if content.startswith(b"ID3") and len(content) > _ID3:
        size = content[6] << 21 | content[7] << 14 | content[8] << 7 | content[9]
        start = _ID3 + size
    length = _frame_bytes(content[start : start + 4])
    return length > 0 and _frame_bytes(content[start + length : start + length + 4]) > 0


def _frame_bytes(header: bytes) -> int:
    """The length of the MPEG layer III frame that begins so, 0 when none does. Source: ISO/IEC 11172-3 and 13818-3."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:  # noqa: PLR2004  # eleven bits set
        return 0
    version, layer, rate, hertz = header[1] >> 3 & 3, header[1] >> 1 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version not in _HERTZ or layer != _LAYER_3 or not 0 < rate < len(_KBIT_1) or hertz >= len(_HERTZ[version]):
        return 0
    kbit = (_KBIT_1 if version == _MPEG_1 else _KBIT_2)[rate]
    samples = 144 if version == _MPEG_1 else 72
    return samples * kbit * 1000 // _HERTZ[version][hertz] + (header[2] >> 1 & 1)


_KINDS: dict[MediaType, Callable[[bytes], bool]] = {
    "image/jpeg": lambda content: content.startswith(b"\xff\xd8\xff"),
    "image/png": lambda content: content.startswith(b"\x89PNG\r\n\x1a\n"),
    "image/webp": lambda content: content.startswith(b"RIFF") and content[8:12] == b"WEBP",
    "audio/wav": lambda content: content.startswith(b"RIFF") and content[8:12] == b"WAVE",
    "audio/amr": lambda content: content.startswith((b"#!AMR\n", b"#!AMR-WB\n")),
    "audio/ogg": _is_ogg_sound,
    "audio/mp4": _is_mp4_sound,
    "audio/mpeg": _is_mp3,
    "application/pdf": _is_pdf,
}
