"""Accounts: passwords, sessions and tokens prove who somebody is, guessing does not, and nothing is kept in clear."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher

from services.people.accounts import (
    GUESSES,
    GUESSES_OF_ALL,
    LOCKED,
    LONGEST,
    SESSION,
    SHORTEST,
    TOKEN_DAYS,
    Accounts,
    Locked,
    WeakPassword,
    csrf_of,
)
from services.runtime.places import Folder, Place, Server
from tests.flow.stores import behind

Places = Callable[[str], Place]
pytestmark = pytest.mark.every_store

NOON = datetime(2026, 11, 23, 4, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RIGHT, OTHER = "correct horse battery", "staple correct horse"
HERE, THERE = "192.0.2.1", "192.0.2.2"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""As strong as a test needs; what costs time is argon2's own business."""


class Watch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def pass_by(self, time: timedelta) -> None:
        self.at += time


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def accounts(place: Places, watch: Watch) -> Iterator[Accounts]:
    opened = Accounts(place("data").accounts(), watch.now, QUICK)
    yield opened
    opened.close()


def kept(where: Place) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of accounts, as anybody else finds them."""
    found = {}
    with behind(where, "accounts" if isinstance(where, Folder) else "vault") as connection:
        for table in ("passwords", "sessions", "tokens", "guesses"):
            found[table] = connection.execute(f"SELECT * FROM {table}").fetchall()
    return found


def guess(accounts: Accounts, many: int, user: str = "wang", address: str = HERE) -> None:
    for n in range(many):
        assert not accounts.check(user, f"wrong number {n}", address)


def is_locked(accounts: Accounts, user: str = "wang", address: str = HERE, password: str = RIGHT) -> bool:
    try:
        accounts.check(user, password, address)
    except Locked:
        return True
    return False


# Passwords


def test_the_right_password_is_right_and_every_other_is_wrong(accounts: Accounts) -> None:
    accounts.set_password("wang", RIGHT)

    assert accounts.check("wang", RIGHT, HERE)
    for wrong in ("", RIGHT.upper(), f"{RIGHT} ", RIGHT[:-1], "x" * 100_000, OTHER)[:GUESSES]:
        assert not accounts.check("wang", wrong, HERE)
    assert not accounts.check("li", RIGHT, HERE)


def test_a_user_without_a_password_gets_in_with_none(accounts: Accounts) -> None:
    assert not accounts.check("nobody", "", HERE)
    assert not accounts.check("nobody", RIGHT, HERE)


def test_a_new_password_is_right_from_then_on_and_the_old_one_wrong(accounts: Accounts) -> None:
    accounts.set_password("wang", RIGHT)

    accounts.set_password("wang", OTHER)

    assert accounts.check("wang", OTHER, HERE)
    assert not accounts.check("wang", RIGHT, HERE)


@pytest.mark.parametrize("length", [0, SHORTEST - 1, LONGEST + 1])
def test_a_password_that_is_too_short_or_too_long_is_none(accounts: Accounts, length: int) -> None:
    accounts.set_password("wang", RIGHT)

    with pytest.raises(WeakPassword, match=f"password: expected {SHORTEST} to {LONGEST} characters, found {length}"):
        accounts.set_password("wang", "口" * length)

    assert accounts.check("wang", RIGHT, HERE)


@pytest.mark.parametrize("length", [SHORTEST, LONGEST])
def test_a_password_may_be_of_any_letters(accounts: Accounts, length: int) -> None:
    accounts.set_password("wang", "口" * length)

    assert accounts.check("wang", "口" * length, HERE)


@pytest.mark.parametrize("name", ["", "wang\x00", "' OR 1=1 --", "王", "a" * 100_000])
def test_a_name_that_nobody_can_have_never_gets_in(accounts: Accounts, name: str) -> None:
    assert not accounts.check(name, RIGHT, HERE)


# Guessing


def test_after_five_wrong_passwords_from_one_address_the_right_one_does_not_help_either(accounts: Accounts) -> None:
    accounts.set_password("wang", RIGHT)

    guess(accounts, GUESSES)

    with pytest.raises(Locked, match="expected fewer wrong passwords, found too many: try again after 04:15:00 UTC"):
        accounts.check("wang", RIGHT, HERE)
    assert accounts.check("wang", RIGHT, THERE), "at another address nobody has guessed"


def test_guessing_from_everywhere_locks_everywhere(accounts: Accounts) -> None:
    accounts.set_password("wang", RIGHT)
    addresses = [f"198.51.100.{n}" for n in range(GUESSES_OF_ALL // GUESSES)]

    for address in addresses:
        guess(accounts, GUESSES, address=address)

    assert is_locked(accounts, address=THERE)


def test_a_name_that_nobody_has_is_locked_like_any_other(accounts: Accounts) -> None:
    guess(accounts, GUESSES, user="nobody")

    assert is_locked(accounts, user="nobody")


def test_one_users_lock_is_not_anothers(accounts: Accounts) -> None:
    accounts.set_password("li", RIGHT)
    guess(accounts, GUESSES)

    assert not is_locked(accounts, user="li")
    assert is_locked(accounts)


def test_the_lock_ends_a_quarter_of_an_hour_after_the_first_guess_however_often_one_tries(
    accounts: Accounts, watch: Watch
) -> None:
    accounts.set_password("wang", RIGHT)
    guess(accounts, GUESSES)

    watch.pass_by(LOCKED)
    still = [is_locked(accounts) for _ in range(3)]
    watch.pass_by(SECOND)

    assert still == [True] * 3
    assert accounts.check("wang", RIGHT, HERE)


def test_after_the_lock_one_may_guess_as_often_as_before(accounts: Accounts, watch: Watch) -> None:
    guess(accounts, GUESSES)
    watch.pass_by(LOCKED + SECOND)

    guess(accounts, GUESSES)

    assert is_locked(accounts)


def test_the_right_password_forgets_the_wrong_ones_before_it(accounts: Accounts) -> None:
    accounts.set_password("wang", RIGHT)

    for _ in range(3):
        guess(accounts, GUESSES - 1)
        assert accounts.check("wang", RIGHT, HERE)

    guess(accounts, GUESSES)
    assert is_locked(accounts)


def test_guessing_at_the_same_time_is_counted(accounts: Accounts) -> None:
    accounts.set_password("wang", RIGHT)

    with ThreadPoolExecutor(16) as guessers:
        tries = [guessers.submit(is_locked, accounts, "wang", HERE, f"wrong number {n}") for n in range(48)]

    locked = [one.result() for one in tries]
    assert (locked.count(False), locked.count(True)) == (GUESSES, 48 - GUESSES)


def test_guesses_are_forgotten_with_the_time(accounts: Accounts, watch: Watch, place: Places) -> None:
    for n in range(20):
        guess(accounts, 1, user=f"nobody-{n}")
    watch.pass_by(LOCKED + SECOND)

    guess(accounts, 1)

    assert sorted(row[0] for row in kept(place("data"))["guesses"]) == ["wang", f"wang {HERE}"]


# Sessions


def test_a_session_is_of_the_user_who_opened_it(accounts: Accounts) -> None:
    one, other = accounts.open_session("wang"), accounts.open_session("li")

    assert (accounts.session(one.secret), accounts.session(other.secret)) == ("wang", "li")
    assert one.csrf == csrf_of(one.secret) != other.csrf
    for wrong in ("", one.csrf, one.secret[:-1], one.secret.swapcase(), "wang"):
        assert accounts.session(wrong) is None


def test_a_session_ends_with_the_shift(accounts: Accounts, watch: Watch) -> None:
    session = accounts.open_session("wang")

    watch.pass_by(SESSION - SECOND)
    before = accounts.session(session.secret)
    watch.pass_by(SECOND)

    assert (before, accounts.session(session.secret)) == ("wang", None)


def test_who_logs_out_ends_one_session_alone(accounts: Accounts) -> None:
    one, other = accounts.open_session("wang"), accounts.open_session("wang")

    accounts.end_session(one.secret)

    assert (accounts.session(one.secret), accounts.session(other.secret)) == (None, "wang")
    accounts.end_session(one.secret)


def test_a_new_password_ends_all_sessions_of_the_user_alone(accounts: Accounts) -> None:
    sessions = [accounts.open_session(name).secret for name in ("wang", "wang", "li")]

    accounts.set_password("wang", OTHER)

    assert [accounts.session(secret) for secret in sessions] == [None, None, "li"]


def test_a_weak_password_ends_no_session(accounts: Accounts) -> None:
    session = accounts.open_session("wang")

    with pytest.raises(WeakPassword):
        accounts.set_password("wang", "weak")

    assert accounts.session(session.secret) == "wang"


def test_who_is_forgotten_has_nothing_any_more(accounts: Accounts) -> None:
    for name in ("wang", "li"):
        accounts.set_password(name, RIGHT)
    sessions = [accounts.open_session(name).secret for name in ("wang", "li")]
    tokens = [accounts.give_token(name, "board") for name in ("wang", "li")]

    accounts.forget("wang")

    assert [accounts.session(secret) for secret in sessions] == [None, "li"]
    assert [accounts.token(secret) for secret in tokens] == [None, "li"]
    assert [accounts.check(name, RIGHT, HERE) for name in ("wang", "li")] == [False, True]
    accounts.forget("wang")


def test_sessions_that_have_ended_are_not_kept(accounts: Accounts, watch: Watch, place: Places) -> None:
    for _ in range(3):
        accounts.open_session("wang")
    watch.pass_by(SESSION)

    accounts.open_session("li")

    assert [row[1] for row in kept(place("data"))["sessions"]] == ["li"]


# Tokens


def test_a_token_is_of_its_user_until_it_ends(accounts: Accounts, watch: Watch) -> None:
    short, long = accounts.give_token("wang", "prometheus", days=1), accounts.give_token("wang", "board")

    watch.pass_by(timedelta(days=1) - SECOND)
    before = accounts.token(short)
    watch.pass_by(SECOND)
    after = accounts.token(short), accounts.token(long)
    watch.pass_by(timedelta(days=TOKEN_DAYS))

    assert before == "wang"
    assert after == (None, "wang")
    assert accounts.token(long) is None


def test_a_token_is_no_session_and_a_session_no_token(accounts: Accounts) -> None:
    session, token = accounts.open_session("wang"), accounts.give_token("wang", "board")

    assert accounts.session(token) is None
    assert accounts.token(session.secret) is None


def test_a_new_password_leaves_the_tokens_of_programs_as_they_are(accounts: Accounts) -> None:
    token = accounts.give_token("wang", "prometheus")

    accounts.set_password("wang", OTHER)

    assert accounts.token(token) == "wang"


# What is kept


def test_all_is_as_it_was_when_it_is_opened_again(place: Places, watch: Watch) -> None:
    first = Accounts(place("data").accounts(), watch.now, QUICK)
    first.set_password("wang", RIGHT)
    session, token = first.open_session("wang"), first.give_token("wang", "board")
    guess(first, GUESSES, user="li")
    first.close()

    again = Accounts(place("data").accounts(), watch.now, QUICK)

    assert again.check("wang", RIGHT, HERE)
    assert (again.session(session.secret), again.token(token)) == ("wang", "wang")
    assert is_locked(again, user="li")
    again.close()


def test_nothing_that_proves_who_somebody_is_is_kept_in_clear(
    accounts: Accounts, place: Places, request: pytest.FixtureRequest
) -> None:
    accounts.set_password("wang", RIGHT)
    session, token = accounts.open_session("wang"), accounts.give_token("wang", "board")
    accounts.check("wang", OTHER, HERE)

    where = place("data")
    rows = repr(kept(where)).encode()
    if isinstance(where, Folder):
        files = [file.read_bytes() for file in where.path.iterdir() if file.is_file()]
    else:
        assert isinstance(where, Server)
        with behind(where, "vault") as connection:
            connection.execute("CHECKPOINT")
            database = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
            folder = request.getfixturevalue("postgres").folder / "data" / "base" / str(database.fetchone()[0])
        files = [file.read_bytes() for file in folder.iterdir()]

    assert b"$argon2id$" in b"".join(files), "we look where it is kept"
    for secret in (RIGHT, OTHER, session.secret, session.csrf, token):
        assert [content for content in (rows, *files) if secret.encode() in content] == []


def test_the_same_password_of_two_users_is_kept_differently(accounts: Accounts, place: Places) -> None:
    for name in ("wang", "li"):
        accounts.set_password(name, RIGHT)

    assert len({row[1] for row in kept(place("data"))["passwords"]}) == 2


def test_as_it_is_served_a_password_costs_time_to_guess(place: Places, watch: Watch) -> None:
    served = Accounts(place("data").accounts(), watch.now)

    served.set_password("wang", RIGHT)

    found = kept(place("data"))["passwords"][0][1]
    assert found.startswith("$argon2id$")
    assert "m=65536" in found
    served.close()
