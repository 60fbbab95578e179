"""Receipts: the same everywhere, not to be guessed, and any slip of the pen noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.district import District
from services.intake.receipt import ALPHABET, HASH_CHARACTERS, make_receipt, read_receipt

KEY = bytes(range(32))
RECEIPTS = [make_receipt(KEY, alias, "hotline", f"2026-{n}") for n, alias in enumerate(["LD", "GC", "BS", "ZA", "SC"])]


def is_taken(text: str) -> bool:
    try:
        read_receipt(text)
    except ValueError:
        return False
    return True


def test_a_receipt_is_the_towns_letters_ten_characters_and_a_check() -> None:
    receipt = make_receipt(KEY, "LD", "hotline", "2026-000417")

    assert receipt.startswith("LD")
    assert len(receipt) == 2 + HASH_CHARACTERS + 1
    assert set(receipt[2:]) <= set(ALPHABET)
    assert read_receipt(receipt) == receipt


def test_the_same_record_has_the_same_receipt_on_every_transport() -> None:
    assert make_receipt(KEY, "LD", "hotline", "1") == make_receipt(KEY, "LD", "hotline", "1")


def test_another_record_source_or_key_has_another_receipt() -> None:
    receipts = {
        make_receipt(KEY, "LD", "hotline", "1"),
        make_receipt(KEY, "LD", "hotline", "2"),
        make_receipt(KEY, "LD", "app", "1"),
        make_receipt(KEY[::-1], "LD", "hotline", "1"),
    }

    assert len(receipts) == 4


@pytest.mark.parametrize("receipt", RECEIPTS)
def test_the_check_finds_every_single_wrong_character(receipt: str) -> None:
    slips = [
        receipt[:place] + wrong + receipt[place + 1 :]
        for place in range(len(receipt))
        for wrong in ALPHABET
        if wrong != receipt[place]
    ]

    assert [slip for slip in slips if is_taken(slip)] == []


@pytest.mark.parametrize("pair", ["2Q", "3R", "4S", "5T", "7V", "8W", "9X"])
def test_the_check_finds_a_swap_of_any_two_characters(pair: str) -> None:
    body = f"LD{pair}ABCDEFGH"
    (receipt,) = [body + check for check in ALPHABET if is_taken(body + check)]

    swapped = receipt.replace(pair, pair[::-1])

    assert not is_taken(swapped)


@pytest.mark.parametrize("receipt", RECEIPTS)
def test_the_check_finds_every_swap_of_neighbours(receipt: str) -> None:
    swaps = [
        receipt[:place] + receipt[place + 1] + receipt[place] + receipt[place + 2 :]
        for place in range(len(receipt) - 1)
        if receipt[place] != receipt[place + 1]
    ]

    assert [swap for swap in swaps if is_taken(swap)] == []


@given(record=st.text(), source=st.text(min_size=1))
def test_whatever_a_sender_calls_its_record_the_receipt_can_be_read_back(record: str, source: str) -> None:
    receipt = make_receipt(KEY, "FL", source, record)

    assert read_receipt(f" {receipt[:4]}-{receipt[4:8]} {receipt[8:]}\n".lower()) == receipt


@pytest.mark.parametrize(
    "text", ["", "LD", "LD" + "2" * 10, "LD" + "2" * 12, "LD0OIU1234567", "镇" * 13, "LD2345678９ABC"]
)
def test_anything_of_another_form_is_refused_saying_what_was_found(text: str) -> None:
    with pytest.raises(ValueError, match="expected a receipt of 13 letters and digits") as refusal:
        read_receipt(text)

    assert repr(text) in str(refusal.value)


def test_a_slip_is_said_to_be_one() -> None:
    receipt = RECEIPTS[0]
    slip = receipt[:-1] + ALPHABET[(ALPHABET.index(receipt[-1]) + 1) % len(ALPHABET)]

    with pytest.raises(ValueError, match="look for a slip"):
        read_receipt(slip)


def test_no_character_is_easily_taken_for_another() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 31
    assert not set("01IOU") & set(ALPHABET)


def test_every_towns_letters_can_stand_in_a_receipt(district: District) -> None:
    for town in district.towns:
        assert len(town.alias) == 2
        assert set(town.alias) <= set(ALPHABET)
