"""The secret: one file, created once and for its owner alone, gives every user the same password for ever."""

import stat
from pathlib import Path

import pytest

from services.provisioning.secret import Secret, ensure_secret, is_hash_of, read_secret, salted_hash
from services.runtime.errors import HujiaoError


def test_a_missing_file_is_created_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"

    created = ensure_secret(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) == 32
    assert read_secret(path).password("a") == created.password("a")
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_there_is_never_changed(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"s" * 32)

    ensure_secret(path)

    assert path.read_bytes() == b"s" * 32


def test_of_two_who_create_it_at_once_the_first_wins(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    def fresh(size: int) -> bytes:
        path.write_bytes(b"1" * size)  # the other one, a moment earlier
        return b"2" * size

    secret = ensure_secret(path, fresh)

    assert path.read_bytes() == b"1" * 32
    assert secret.password("a") == Secret(b"1" * 32).password("a")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33, b"x" * 32 + b"\n"])
def test_a_file_that_is_no_secret_is_refused_and_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)

    for read in (read_secret, ensure_secret):
        with pytest.raises(HujiaoError, match=f"expected 32 bytes in .*, found {len(content)}"):
            read(path)
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_read_or_created_is_said(tmp_path: Path) -> None:
    with pytest.raises(HujiaoError, match="found: No such file"):
        read_secret(tmp_path / "none")
    with pytest.raises(HujiaoError, match="found: Is a directory"):
        ensure_secret(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(HujiaoError, match="expected to create"):
        ensure_secret(tmp_path / "file" / "secret")


def test_every_user_has_a_password_of_its_own_that_is_always_the_same() -> None:
    secret = Secret(bytes(range(32)))

    passwords = [secret.password(user) for user in ("hotline-12345", "dept.ld.d07", "dept.ld.d08")]

    assert passwords == [
        "M4HDCB2SEPQOJ7BGZCMJO2ZN5QAE5GBF",
        "UVAD5ZFOQOVG327AVZEFK2M3CL2DWFFP",
        "WIHDWFW5H5N6ZS2W6LIBZYLNDRKZAWHW",
    ]


def test_a_hash_is_what_rabbitmq_keeps() -> None:
    """Source: the example in RabbitMQ's guide to passwords."""
    assert salted_hash("test12", bytes.fromhex("908DC60A")) == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    assert is_hash_of("test12", "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR")
    assert not is_hash_of("test13", "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR")


@pytest.mark.parametrize("kept", ["", "A", "not base64", "kI3GCqW5", "热线"])
def test_what_is_no_hash_fits_no_password(kept: str) -> None:
    assert not is_hash_of("test12", kept)
    assert not is_hash_of("", kept)
