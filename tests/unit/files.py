"""Small files of every kind, made here, and what must never be left of them."""

from io import BytesIO
from typing import Any

from PIL import Image
from PIL.Image import Exif

GPS_IFD, ORIENTATION, MAKE = 0x8825, 0x0112, 0x010F
TAKEN_BY, LATITUDE = "Marker-Telephone-7", (23.0, 4.0, 31.987)


def picture(form: str = "JPEG", size: tuple[int, int] = (40, 20), **more: Any) -> bytes:
    """An image whose left half is red and whose right half is blue."""
    image = Image.new("RGB", size, (200, 0, 0))
    image.paste((0, 0, 200), (size[0] // 2, 0, *size))
    written = BytesIO()
    image.save(written, form, **more)
    return written.getvalue()


def photo(form: str = "JPEG", *, orientation: int = 1, size: tuple[int, int] = (40, 20)) -> bytes:
    """An image that tells where and with what it was taken."""
    told = Exif()
    told[MAKE] = TAKEN_BY
    told[ORIENTATION] = orientation
    told.get_ifd(GPS_IFD).update({1: "N", 2: LATITUDE, 3: "E", 4: (112.0, 2.0, 9.5)})
    return picture(form, size, exif=told, **({"comment": TAKEN_BY.encode()} if form == "JPEG" else {}))


def exif_of(content: bytes) -> Exif:
    """What an image tells about itself."""
    with Image.open(BytesIO(content)) as image:
        return image.getexif()


def box(kind: bytes, content: bytes) -> bytes:
    """An MP4 box."""
    return (len(content) + 8).to_bytes(4) + kind + content


def mp4(*tracks: bytes) -> bytes:
    """An MP4 with tracks of these kinds."""
    handlers = b"".join(box(b"hdlr", bytes(8) + kind + bytes(12)) for kind in tracks)
    return box(b"ftyp", b"M4A \x00\x00\x00\x00isom") + box(b"moov", handlers) + box(b"mdat", b"sound")


MP3_FRAME = b"\xff\xfb\x90\x00" + bytes(413)
"""MPEG 1 layer III, 128 kbit/s at 44.1 kHz: 417 bytes."""

MP3 = MP3_FRAME * 3
TAGGED_MP3 = b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128) + MP3
OGG = b"OggS\x00\x02" + bytes(20) + b"\x01\x13" + b"OpusHead\x01\x01" + bytes(30)
AMR = b"#!AMR\n" + b"\x3c" + bytes(31)
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(24)
M4A = mp4(b"soun")
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"

SOUNDS_AND_PAPERS = {
    "audio/mpeg": MP3,
    "audio/ogg": OGG,
    "audio/amr": AMR,
    "audio/wav": WAV,
    "audio/mp4": M4A,
    "application/pdf": PDF,
}
