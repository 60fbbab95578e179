"""Users of a house as tests want them: added through the ledger as everybody is, with a token of their own."""

from collections.abc import Sequence
from typing import Any

from events.user import AddUser, Unit
from services.people.user import user_id
from services.runtime.batch import Submission
from services.wiring import House

PERSON = "测试员"


def add_user(house: House, name: str, roles: Sequence[Any], person: str = PERSON, **unit: str) -> None:
    """A user who may log in; in a unit that fits the roles, unless another is named."""
    rules = house.ledger.rules
    village = rules.district.villages[0]
    own = {
        "town": village.town,
        "village": village.code,
        "platform": "P1",
        "department": rules.district.departments[0].code,
    }
    request = AddUser(user=user_id(name), name=name, person=person, roles=tuple(roles), unit=Unit(**{**own, **unit}))
    answer = house.ledger.decide(Submission(f"user/{name}", request, "test", remembered=False))
    assert answer.status == "accepted", answer.reason


def token_of(house: House, name: str, roles: Sequence[Any], person: str = PERSON, **unit: str) -> str:
    """The token of a new user."""
    add_user(house, name, roles, person, **unit)
    return house.accounts.give_token(name, "test")
