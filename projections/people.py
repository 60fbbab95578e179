"""人员: who works where since when, and who is lent."""

from events import person as p
from events.envelope import Recorded
from projections.view import TEXT, Rows, View


def registered(rows: Rows, recorded: Recorded, fact: p.PersonRegistered) -> None:
    """入册."""
    rows.put(
        {
            "person": recorded.stream,
            "number": fact.number,
            "name": fact.name,
            "employer": fact.employer,
            "town": fact.town,
            "department": fact.department,
            "since": fact.since.isoformat(),
            "skills": " ".join(fact.skills),
            "party_relation": fact.party_relation,
            "secondment": None,
            "lent_to": None,
            "lent_from": None,
            "back": None,
        }
    )


def moved(rows: Rows, recorded: Recorded, fact: p.PersonMoved) -> None:
    """调动."""
    _change(rows, recorded, town=fact.town, department=fact.department, since=fact.since.isoformat())


def party_relation_transferred(rows: Rows, recorded: Recorded, fact: p.PartyRelationTransferred) -> None:
    """转移党组织关系."""
    _change(rows, recorded, party_relation=fact.to)


def requested(rows: Rows, recorded: Recorded, fact: p.SecondmentRequested) -> None:
    """申请借调."""
    days = {"lent_from": fact.start.isoformat(), "back": fact.back.isoformat()}
    _change(rows, recorded, secondment="requested", lent_to=fact.to, **days)


def consented(rows: Rows, recorded: Recorded, fact: p.SecondmentConsented) -> None:
    """镇党委同意."""
    _change(rows, recorded, secondment="consented")


def approved(rows: Rows, recorded: Recorded, fact: p.SecondmentApproved) -> None:
    """区人事部门批准."""
    _change(rows, recorded, secondment="approved")


def started(rows: Rows, recorded: Recorded, fact: p.SecondmentStarted) -> None:
    """借出."""
    _change(rows, recorded, secondment="away")


def overdue(rows: Rows, recorded: Recorded, fact: p.SecondmentOverdue) -> None:
    """逾期未归."""
    _change(rows, recorded, secondment="overdue")


def over(rows: Rows, recorded: Recorded, fact: p.SecondmentRefused | p.SecondmentEnded) -> None:
    """归队, or nothing came of it."""
    _change(rows, recorded, secondment=None, lent_to=None, lent_from=None, back=None)


def _change(rows: Rows, recorded: Recorded, **changes: str | None) -> None:
    row = rows.get(recorded.stream)
    assert row is not None, "a person's stream begins with the register"
    rows.put({**row, **changes})


PEOPLE = View(
    name="people",
    version=1,
    purpose="who works where since when, and who is lent 人员",
    key=("person",),
    columns=dict.fromkeys(
        (
            "person",
            "number",
            "name",
            "employer",
            "town",
            "department",
            "since",
            "skills",
            "party_relation",
            "secondment",
            "lent_to",
            "lent_from",
            "back",
        ),
        TEXT,
    ),
    folds={
        "person.registered.v1": registered,
        "person.moved.v1": moved,
        "person.party-relation-transferred.v1": party_relation_transferred,
        "person.secondment-requested.v1": requested,
        "person.secondment-consented.v1": consented,
        "person.secondment-approved.v1": approved,
        "person.secondment-refused.v1": over,
        "person.secondment-started.v1": started,
        "person.secondment-overdue.v1": overdue,
        "person.secondment-ended.v1": over,
    },
)
