"""What an alert says: enough to come and look, and nothing of what residents said, who they are or where it is."""

from datetime import datetime

from msgspec import Struct

from events.call import CallAlerted
from events.case import Role
from events.district import HandlingClass, Visibility
from events.person import SecondmentOverdue
from services.platforms.call import Call
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI

CONFIDENTIAL_ZH = "保密事项"
CONFIDENTIAL = "a confidential matter"


class Alert(Struct, frozen=True, kw_only=True):
    """One alert for one department. Receivers take the same ``id`` twice for the same alert.

    Of a confidential case ``matter`` is empty and ``matter_zh`` names none. Times are aware, Asia/Shanghai.
    """

    id: str
    alerted_at: datetime
    town: str
    town_zh: str
    matter: str
    matter_zh: str
    handling_class: HandlingClass
    department: str
    department_zh: str
    role: Role
    acknowledge_by: datetime
    call: str
    case: str
    link: str


class Overdue(Struct, frozen=True, kw_only=True):
    """逾期未归: that somebody of a town is lent and not back. Who they are is to be looked up behind ``link``."""

    id: str
    alerted_at: datetime
    town: str
    town_zh: str
    link: str


Message = Alert | Overdue


def compose(
    id_: str,
    fact: CallAlerted,
    alerted_at: datetime,
    call: tuple[str, Call],
    visibility: Visibility,
    rules: RuleBook,
    console_url: str,
) -> Alert:
    """The alert of a ``call``, its id and state, for the fact's department."""
    stream, state = call
    matter, leg = rules.matter(state.issued.matter), state.parts[fact.department].leg
    town, department = rules.units.get(fact.town), rules.departments.get(fact.department)
    confidential = "confidential" in (visibility, matter.visibility)
    return Alert(
        id=id_,
        alerted_at=alerted_at.astimezone(SHANGHAI),
        town=fact.town,
        town_zh=town.zh if town else "",
        matter="" if confidential else matter.code,
        matter_zh=CONFIDENTIAL_ZH if confidential else matter.zh,
        handling_class=state.issued.handling_class,
        department=fact.department,
        department_zh=department.zh if department else "",
        role=leg.role,
        acknowledge_by=leg.acknowledge.by.astimezone(SHANGHAI),
        call=stream,
        case=fact.case,
        link=f"{console_url}#case={fact.case}",
    )


def overdue_return(position: int, fact: SecondmentOverdue, recorded_at: datetime, rules: RuleBook, url: str) -> Overdue:
    """The alert of a fact at a position of the log; its id is not that of the person, whose number could be guessed."""
    town = rules.units.get(fact.town)
    return Overdue(
        id=f"overdue:{position}",
        alerted_at=recorded_at.astimezone(SHANGHAI),
        town=fact.town,
        town_zh=town.zh if town else "",
        link=url,
    )
