"""`user`: who may log in. Every user acts in roles, for a unit; the console, the API and `act` ask for the same."""

import getpass
import sys
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number
from msgspec import structs

from events.user import AddUser, DisableUser, Unit, UserRole
from services.cli.houses import DEFAULT_DATA, Data, Json, checked, existing_house, known_user
from services.cli.screen import Exit, out, print_json, table
from services.decisions import Rejected
from services.people.accounts import TOKEN_DAYS, check_strength
from services.people.user import user_id
from services.runtime.batch import Submission
from services.runtime.errors import HujiaoError
from services.wiring import House

user = App(name="user", help="Who may log in, in which roles and for which unit.")

Roles = Annotated[
    list[UserRole],
    Parameter(name="--role", help="What the user does, once for each role.", negative=""),
]
Password = Annotated[
    bool, Parameter(name="--password-stdin", negative="", help="Read the password from standard input.")
]
Days = Annotated[int, Parameter(validator=Number(gte=1, lte=10 * TOKEN_DAYS), help="After how many days it ends.")]


@user.command
def add(
    name: str,
    person: str,
    *,
    role: Roles,
    town: str = "",
    village: str = "",
    platform: str = "",
    department: str = "",
    password_stdin: Password = False,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> Exit:
    """Let a person log in as NAME and act in these roles. Asks for a password.

    Parameters
    ----------
    person
        The person's name, as it stands in the log beside everything they do.
    town, village, platform, department
        For which unit, in the codes of the district; a town may be named by its alias. Without a town: for all.
    """
    with existing_house(data) as house:
        code = _town(house, town)
        unit = Unit(town=code, village=village, platform=platform, department=department)
        request = AddUser(user=user_id(name), name=name, person=person, roles=tuple(role), unit=unit)
        request = checked(house, request)
        password = _password(stdin=password_stdin)
        check_strength(password)  # before there is a user who could never log in
        answer = house.ledger.decide(Submission(f"user/{name}", request, getpass.getuser(), remembered=False))
        if answer.status == "rejected":
            raise Rejected(answer.reason)
        if answer.facts:
            house.accounts.forget(name)  # whoever had the name before has no way in any more
        house.accounts.set_password(name, password)
    if as_json:
        print_json({"user": name, "facts": answer.facts})
    else:
        out.print(f"{person} may log in as {name} ({', '.join(role)}).")
    return Exit.DONE


@user.command(name="list")
def list_users(*, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show every user with roles and unit."""
    with existing_house(data) as house:
        users = house.users()
    if as_json:
        print_json(users)
        return Exit.DONE
    rows = (
        (one.name, one.person, " ".join(one.roles), " ".join(filter(None, structs.astuple(one.unit))), one.disabled)
        for one in users
    )
    table("Users", ("name", "person", "roles", "unit", "disabled"), rows)
    return Exit.DONE


@user.command
def disable(name: str, *, data: Data = DEFAULT_DATA) -> Exit:
    """Let nobody act as NAME any more: sessions and tokens end at once; what was done stays."""
    with existing_house(data) as house:
        request = DisableUser(user=user_id(name))
        answer = house.ledger.decide(Submission(f"user/{name}", request, getpass.getuser(), remembered=False))
        if answer.status == "rejected":
            raise Rejected(answer.reason)
        house.accounts.forget(name)
    out.print(f"Nobody can log in as {name} any more.")
    return Exit.DONE


@user.command
def token(name: str, label: str, *, days: Days = TOKEN_DAYS, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Give a program of NAME's a token, for `Authorization: Bearer`. It is shown once and never again.

    Parameters
    ----------
    label
        Which program has it.
    """
    with existing_house(data) as house:
        known_user(house, name)
        secret = house.accounts.give_token(name, label, days)
    if as_json:
        print_json({"user": name, "token": secret})
    else:
        out.print(secret, markup=False)
    return Exit.DONE


@user.command
def password(name: str, *, password_stdin: Password = False, data: Data = DEFAULT_DATA) -> Exit:
    """Give NAME another password; all sessions end."""
    with existing_house(data) as house:
        known_user(house, name)
        house.accounts.set_password(name, _password(stdin=password_stdin))
    out.print(f"{name} has another password.")
    return Exit.DONE


def _town(house: House, name: str) -> str:
    known = house.ledger.rules.unit_by_name.get(name)
    return known.code if known else name


def _password(*, stdin: bool) -> str:
    if stdin:
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        raise HujiaoError("password: expected the same twice, found two that differ")
    return first
