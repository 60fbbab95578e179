"""The user stream: who may log in, in which roles, for which unit."""

from collections.abc import Iterator
from datetime import datetime
from typing import assert_never

from msgspec import Struct

from events.case import REPORTER
from events.envelope import Fact
from events.ids import PREFIX, child_id
from events.user import AddUser, DisableUser, Unit, UserAdded, UserDisabled, UserRole
from services.decisions import Rejected
from services.rules.book import RuleBook

Facts = UserAdded | UserDisabled
Requests = AddUser | DisableUser


class User(Struct, frozen=True):
    """A person as the township knows them."""

    name: str
    person: str
    roles: tuple[UserRole, ...]
    unit: Unit
    disabled: bool = False


NEEDS: dict[UserRole, tuple[str, ...]] = {
    "village_clerk": ("town", "village"),
    "command_centre": ("town",),
    "platform_head": ("town", "platform"),
    "department_officer": ("town", "department"),
    "town_committee": ("town",),
}
"""Which parts of a unit a role cannot do without; the others may be of one town or of the whole district."""


def user_id(name: str) -> str:
    """The stream of the user who logs in as ``name``."""
    return child_id("user", "0" * PREFIX, name)


def evolve(state: User | None, fact: Facts) -> User:
    """Fold one fact of a user stream."""
    match fact:
        case UserAdded():
            return User(fact.name, fact.person, fact.roles, fact.unit)
        case UserDisabled():
            assert state is not None, "a user stream begins with the user"
            return User(state.name, state.person, state.roles, state.unit, disabled=True)
        case _:
            assert_never(fact)


def decide(state: User | None, request: Requests, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """Add and disable users; the same again is a repeat."""
    match request:
        case AddUser():
            return _add(state, request, rules)
        case DisableUser():
            if state is None:
                raise Rejected("expected a user, found none with this name")
            return () if state.disabled else (UserDisabled(name=state.name),)
        case _:
            assert_never(request)


def _add(state: User | None, request: AddUser, rules: RuleBook) -> tuple[Fact, ...]:
    if request.user != user_id(request.name):
        raise Rejected(f"user: expected the stream of {request.name}, found {request.user}")
    if request.person == REPORTER:
        raise Rejected(f"person: expected a name that is not kept for those who answer by receipt, found {REPORTER}")
    faults = [*_missing(request), *_unknown(request.unit, rules)]
    if faults:
        raise Rejected("; ".join(faults))
    wanted = User(request.name, request.person, request.roles, request.unit)
    if state == wanted:
        return ()
    if state is not None and not state.disabled:
        raise Rejected(f"name: expected one that nobody has, found {state.name} of {state.person}: disable it first")
    return (UserAdded(name=request.name, person=request.person, roles=request.roles, unit=request.unit),)


def _missing(request: AddUser) -> Iterator[str]:
    for role in request.roles:
        for part in NEEDS.get(role, ()):
            if not getattr(request.unit, part):
                yield f"{part}: expected one for the role {role}, found none"


def _unknown(unit: Unit, rules: RuleBook) -> Iterator[str]:
    if unit.town and unit.town not in rules.units:
        yield f"town: expected one of {', '.join(sorted(rules.units))}, found {unit.town!r}"
    if unit.village and (unit.village not in rules.villages or rules.villages[unit.village].town != unit.town):
        yield f"village: expected one of the town {unit.town}, found {unit.village!r}"
    if unit.platform and unit.platform not in rules.platforms:
        yield f"platform: expected one of {', '.join(sorted(rules.platforms))}, found {unit.platform!r}"
    there = [code for code in sorted(rules.departments) if unit.town not in rules.units or rules.here(unit.town, code)]
    if unit.department and unit.department not in there:
        yield f"department: expected one of {', '.join(there)}, found {unit.department!r}"
