"""Every state machine that the project has: which streams it lives in, and how its states are called.

To add one: a line in `MACHINES`, a scene in `tests.machines.scenes` that plays it, its section and rows in
``rows.toml``; then ``python -m tests.machines``.
"""

from services.command_centre.approval import Approval
from services.command_centre.mobilisation import Mobilisation
from services.people.person import Employee
from services.people.roster import Member, Roster
from services.people.user import User
from services.platforms.call import CLOCKS, Call, Part
from tests.machines.explore import Machine

_ALERTS = ("call.alerted", "call.delivered", "call.delivery-failed")
_LEVELS = (
    "case.opened",
    "case.calls-issued",
    "case.village",
    "case.escalated",
    "case.district",
    "case.launch",
    "case.handed",
    "case.hand-down",
    "case.department-recused",
)
_WHEREABOUTS = ("roster.joined", "roster.leave-begun", "roster.left", "roster.member", "roster.people", "roster.person")


def legs(call: Call) -> dict[str, str]:
    """A department's part: issued until its platform has called it."""
    if not call.parts:
        return {leg.department: "issued" for leg in call.issued.legs}
    return {department: part.progress for department, part in call.parts.items()}


def clocks(call: Call) -> dict[str, str]:
    """Each clock of each department by itself."""

    def of(part: Part, clock: str) -> str:
        met = "met_late" if clock in part.missed else "met"
        running = "missed" if clock in part.missed else "running"
        return met if clock in part.met else running if part.open else "stopped"

    return {
        f"{department}.{clock}": of(part, clock)
        for department, part in call.parts.items()
        for clock in CLOCKS
        if part.leg.due(clock) is not None
    }


def alerts(call: Call) -> dict[str, str]:
    """How far the newest alert of a department has come."""
    return {
        department: "delivered" if part.alerting.delivered else part.alerting.outcomes[part.alerting.newest]
        for department, part in call.parts.items()
        if part.alerting.outcomes
    }


def secondment(employee: Employee) -> dict[str, str]:
    """A person of the register: serving, or how far a secondment has come."""
    return {"": employee.secondment.stage if employee.secondment else "serving"}


def whereabouts(roster: Roster) -> dict[str, str]:
    """Whether a person can be sent somewhere, and if not, why."""

    def of(member: Member) -> str:
        if member.lent:
            return "lent"
        return "with_turn_out" if member.taken_by else "deployed" if member.deployed_to else "there"

    return {number: of(member) for number, member in roster.members.items()}


def responders(mobilisation: Mobilisation) -> dict[str, str]:
    """Each person who is called to a scene."""
    return {number: called.presence for number, called in mobilisation.people.items()}


def approval(state: Approval) -> dict[str, str]:
    """Rounds until the decision."""
    return {"": state.decision or ("open" if state.open else "closed")}


def user(state: User) -> dict[str, str]:
    """Whether somebody may log in."""
    return {"": "disabled" if state.disabled else "active"}


MACHINES: tuple[Machine, ...] = (
    Machine("report", "report", lambda report: {"": report.phase}),
    Machine("case", "case", lambda case: {"": case.phase}),
    Machine("level", "case", lambda case: {"": case.level}, only=_LEVELS),
    Machine("leg", "call", legs, without=_ALERTS),
    Machine("clock", "call", clocks, without=_ALERTS),
    Machine("alert", "call", alerts, only=_ALERTS),
    Machine("mobilisation", "mobilisation", lambda turn_out: {"": turn_out.phase}),
    Machine("responder", "mobilisation", responders),
    Machine("approval", "approval", approval),
    Machine("outcome", "outcome", lambda outcome: {"": outcome.phase}),
    Machine("secondment", "person", secondment),
    Machine("whereabouts", "roster", whereabouts, only=_WHEREABOUTS),
    Machine("user", "user", user),
)
