"""回避: a department that is complained of, or has an interest in a case, has no part in it and sees nothing of it.

Source: the rule of complaints and tips that what was reported never goes to those who were reported
(举报信息不得转给被举报人), and that who has an interest in a matter withdraws from it.
"""

from datetime import datetime

from events.case import CaseDepartmentRecused, RecuseDepartment
from events.envelope import Fact
from services.command_centre.case import AT_WORK, Case
from services.decisions import Rejected
from services.rules.book import RuleBook


def decide(state: Case | None, request: RecuseDepartment, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """Recuse a department from an open case; where it is called, or may be just now, the platforms are called anew.

    Raises:
        Rejected: when somebody must lead and nobody is left, or only this department can say what the law asks it.
    """
    if state is None:
        raise Rejected("expected an opened case, found none with this id")
    department = request.department
    if department in state.recused:
        return ()
    if department not in rules.departments:
        raise Rejected(f"department: expected one of the district, found {department!r}")
    if state.phase == "closed":
        raise Rejected("expected a case that is open, found it closed")
    recused = (*state.recused, department)
    if state.matter and (needed := rules.needed_of(state.town, rules.matter(state.matter), recused)):
        raise Rejected(f"department: expected one that the matter can do without, found {needed}")
    called = state.phase in AT_WORK and any(leg.department == department for call in state.calls for leg in call.legs)
    about_to_be = state.phase == "rework" or (state.phase == "registered" and not _villages_first(state, rules))
    fact = CaseDepartmentRecused(
        department=department,
        ground=request.ground,
        by=request.by,
        town=state.town,
        matter=state.matter,
        attempt=state.attempt,
        recused=recused,
        again=called or about_to_be,
        released=tuple(call.call for call in state.calls if call.call not in state.completed) if called else (),
    )
    return (fact,)


def expect_free(state: Case, department: str) -> None:
    """Refuse to give a department a part in a case from which it is recused.

    Raises:
        Rejected: naming it.
    """
    if department in state.recused:
        raise Rejected(f"department: expected one that is not recused from the case, found {department}")


def _villages_first(state: Case, rules: RuleBook) -> bool:
    """Whether the village gets the case next: what it hands up is called for without who is recused."""
    return bool(state.village) and rules.matter(state.matter).village and state.village_due is None
