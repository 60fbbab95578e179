"""原文: who of those called may read what the residents said. Decided by role and by what they have done so far."""

from events.district import Visibility
from services.decisions import Rejected
from services.platforms.call import Call


def may_open(state: Call | None, department: str, by: str, visibility: Visibility) -> None:
    """Whether ``by`` of ``department`` may read the words of the case behind a call.

    The lead may at once: it has to judge how urgent it is. Who assists or is consulted may once it has acknowledged.
    A confidential matter opens to nobody but the person who acknowledged for the department. Once the department has
    filed or was released, the words are closed to it again.

    Raises:
        Rejected: saying what was expected and what was found.
    """
    if state is None or not state.parts:
        raise Rejected("expected a call whose departments are called, found none with this id")
    part = state.parts.get(department)
    if part is None:
        raise Rejected(f"department: expected one that is called, found {department}")
    if not part.open:
        raise Rejected(f"expected a part that is open, found it {part.progress}")
    if visibility == "confidential" and part.handler != by:
        named = part.handler or "nobody yet"
        raise Rejected(f"by: expected the named handler of a confidential matter ({named}), found {by}")
    if part.leg.role != "lead" and "acknowledge" not in part.met:
        raise Rejected(f"expected {department} to acknowledge first, found its part only called")
