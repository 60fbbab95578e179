"""What is kept of a file: known by its content, without anything that tells more than can be seen."""

import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from events.file import MAX_FILE_BYTES
from services.intake.attachments import MAX_PIXELS, BadFile, TooLarge, UnknownKind, Unreadable, clean
from services.intake.kinds import kind_of
from tests.unit.files import (
    AMR,
    GPS_IFD,
    MP3_FRAME,
    OGG,
    PDF,
    SOUNDS_AND_PAPERS,
    TAGGED_MP3,
    TAKEN_BY,
    box,
    exif_of,
    mp4,
    photo,
    picture,
)

FORMS = ("JPEG", "PNG", "WEBP")
HTML = b"<!doctype html><script>alert(document.cookie)</script>"


def pixels(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content)).convert("RGB")


def png_of(width: int, height: int) -> bytes:
    """The head of a PNG that says it is so large, and nothing behind it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    head = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


# Images


@pytest.mark.parametrize("form", FORMS)
def test_a_photo_is_kept_without_where_and_with_what_it_was_taken(form: str) -> None:
    sent = photo(form)
    assert exif_of(sent).get_ifd(GPS_IFD), "the photo tells where it was taken"

    kept = clean(sent)

    assert kept.media_type == f"image/{form.lower()}"
    assert dict(exif_of(kept.content)) == {}
    assert exif_of(kept.content).get_ifd(GPS_IFD) == {}
    for tells in (TAKEN_BY.encode(), b"Exif", b"EXIF", b"eXIf", b"exif"):
        assert tells not in kept.content


@pytest.mark.parametrize("form", FORMS)
def test_what_can_be_seen_stays_and_stands_upright(form: str) -> None:
    kept = pixels(clean(photo(form, orientation=6)).content)

    assert kept.size == (20, 40)
    top, bottom = kept.getpixel((10, 5)), kept.getpixel((10, 34))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert (top[0] > 150, top[2] < 60, bottom[0] < 60, bottom[2] > 150) == (True,) * 4


@pytest.mark.parametrize("extra", [{"icc_profile": b"marker-profile"}, {"xmp": b"<x>marker-profile</x>"}])
@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_profiles_and_xmp_are_dropped(form: str, extra: dict[str, bytes]) -> None:
    sent = picture(form, **extra)
    assert b"marker-profile" in sent

    assert b"marker-profile" not in clean(sent).content


def test_text_in_a_png_is_dropped() -> None:
    told = PngInfo()
    told.add_itxt("XML:com.adobe.xmp", "marker-profile")
    told.add_text("Comment", "marker-profile")
    sent = picture("PNG", pnginfo=told)
    assert b"marker-profile" in sent

    assert b"marker-profile" not in clean(sent).content


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("appended", [HTML, b"PK\x03\x04 a zip", b"%PDF-1.4\n%%EOF"])
def test_whatever_is_appended_to_an_image_is_gone(form: str, appended: bytes) -> None:
    assert appended not in clean(picture(form) + appended).content


def test_an_image_that_can_be_seen_through_stays_so() -> None:
    written = BytesIO()
    Image.new("RGBA", (4, 4), (1, 2, 3, 0)).save(written, "PNG")

    kept = Image.open(BytesIO(clean(written.getvalue()).content))

    assert (kept.mode, kept.getpixel((0, 0))) == ("RGBA", (1, 2, 3, 0))


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "I;16", "LA", "RGBA"])
def test_images_of_all_colours_are_kept(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    written = BytesIO()
    Image.new(mode, (8, 8)).save(written, form)

    assert clean(written.getvalue()).media_type == f"image/{form.lower()}"


def test_the_same_photo_is_kept_as_the_same_bytes() -> None:
    assert clean(photo()) == clean(photo())


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (2**31 - 1, 2**31 - 1), (MAX_PIXELS, 2)])
def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(width: int, height: int) -> None:
    with pytest.raises(TooLarge, match=f"expected at most {MAX_PIXELS} pixels"):
        clean(png_of(width, height))


@pytest.mark.parametrize("form", FORMS)
def test_an_image_that_was_cut_off_is_refused(form: str) -> None:
    whole = photo(form, size=(400, 300))

    with pytest.raises(Unreadable, match="can be decoded"):
        clean(whole[: len(whole) // 2])


@given(tail=st.binary(max_size=300), form=st.sampled_from(FORMS), cut=st.integers(3, 60))
def test_a_broken_image_is_refused_and_nothing_else_happens(tail: bytes, form: str, cut: int) -> None:
    try:
        clean(picture(form)[:cut] + tail)
    except BadFile:
        return


# Sounds and documents


@pytest.mark.parametrize(("kind", "content"), SOUNDS_AND_PAPERS.items())
def test_sounds_and_documents_are_known_by_their_content_and_kept_as_they_came(kind: str, content: bytes) -> None:
    assert clean(content) == (kind, content)


def test_an_mp3_is_known_behind_its_tag() -> None:
    assert kind_of(TAGGED_MP3) == "audio/mpeg"


REFUSED = {
    "nothing": b"",
    "a text": "路面破损".encode(),
    "a page": HTML,
    "a drawing with a script": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "a script": b"#!/bin/sh\nrm -rf /\n",
    "an archive": b"PK\x03\x04" + bytes(60),
    "a program": b"MZ" + bytes(60),
    "a GIF": b"GIF89a" + bytes(30),
    "a page that says it is a PDF": b"%PDF-" + HTML,
    "a page behind which stands a PDF": HTML + PDF,
    "a PDF without an end": b"%PDF-1.7\n" + HTML,
    "a film": mp4(b"soun", b"vide"),
    "a photo in boxes": box(b"ftyp", b"heic\x00\x00\x00\x00mif1") + box(b"meta", bytes(8)),
    "a film in Ogg": OGG.replace(b"OpusHead", b"\x80theora"),
    "an Ogg cut off": b"OggS\x00\x02",
    "one frame of an MP3": MP3_FRAME,
    "a tag without sound": TAGGED_MP3[:138],
    "a sound that is not named whole": AMR[:4],
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_what_is_of_no_kind_that_we_keep_is_refused_and_the_refusal_says_what_would_be(content: bytes) -> None:
    with pytest.raises(UnknownKind, match=f"expected a JPEG, .* found {len(content)} bytes of something else"):
        clean(content)


@given(content=st.binary(max_size=200))
def test_whatever_the_bytes_are_their_kind_is_one_that_we_keep_or_none(content: bytes) -> None:
    kind_of(content)


def test_more_bytes_than_we_keep_are_refused() -> None:
    with pytest.raises(TooLarge, match=f"at most {MAX_FILE_BYTES} bytes, found {MAX_FILE_BYTES + 1}"):
        clean(PDF.ljust(MAX_FILE_BYTES + 1))
