"""Opening: who of those that are logged in reads the words and files of a case. Each opening is recorded."""

from contextlib import suppress
from typing import Any

import structlog

from events.call import ProofAttached
from events.edge import OpenedReport
from events.ids import is_stream_id, outcome_of
from events.outcome import PublishOutcome
from events.report import FileAttached
from events.user import Unit
from projections.queries import Questions
from services.command_centre.case import Case
from services.decisions import Rejected
from services.disclosure.outcome import Outcome
from services.history import facts_of_case
from services.intake.words import open_case
from services.people.authority import WORDS, Forbidden, answers_for_district, may_act, may_read_words, sights_of
from services.people.user import User
from services.platforms.words import may_open
from services.runtime.errors import HujiaoError
from services.wiring import House
from services.written import DRAFTS, TO_THE_DISTRICT, Written, open_written

logger = structlog.get_logger()


class NoFile(HujiaoError):
    """There is no such file of the case."""


class Opening:
    """What people read of one house."""

    def __init__(self, house: House) -> None:
        self._house = house

    def words(self, user: User, case: str) -> list[OpenedReport]:
        """What residents said of a case, oldest first; that the user opened it is recorded.

        Raises:
            Rejected: when the user may not now, or never; also when there is no such case in their sight.
        """
        self._check_opening(user, case)
        house = self._house
        return list(open_case(house.log, house.vault, case, _opener(user), f"case {case}", house.clock.now()))

    def file(self, user: User, case: str, file: str) -> tuple[str, bytes]:
        """A file that a resident or a department attached, with what it is; that the user opened it is recorded.

        Whoever may open the words of the case may open its files.

        Raises:
            Rejected: as `words`.
            NoFile: when the case has no such file.
            Erased: when the person behind it was erased.
        """
        self._check_opening(user, case)
        house = self._house
        for recorded in facts_of_case(house.log, case, house.log.head()):
            fact = recorded.fact
            if isinstance(fact, FileAttached | ProofAttached) and fact.file == file:
                key = recorded.stream if isinstance(fact, FileAttached) else case
                purpose, now = f"file {file[:12]} of case {case}", house.clock.now()
                with suppress(KeyError):  # the vault is a backup's, older than the file
                    return fact.media_type, house.vault.open_attachment(key, file, _opener(user), purpose, now)
        raise NoFile(f"file: expected one of the case, found none such: {file[:12]}")

    def written(self, user: User, case: str) -> list[Written]:
        """What departments, reviewers and reporters wrote about a case, in order; that the user opened it is recorded.

        Whoever may open the words of the case may; whoever may publish its notice sees what waits to be published, and
        whoever answers for the district what town and district wrote to each other.

        Raises:
            Rejected: as `words`.
        """
        only: tuple[type[Any], ...] = (object,)
        try:
            self._check_opening(user, case)
        except Rejected:
            only = DRAFTS if self._may_publish(user, case) else ()
            only += TO_THE_DISTRICT if self._is_asked(user, case) else ()
            if not only:
                raise
        house = self._house
        facts, now = facts_of_case(house.log, case, house.log.head()), house.clock.now()
        return open_written(facts, house.vault, _opener(user), f"case {case}", now, only)

    def _is_asked(self, user: User, case: str) -> bool:
        """Whether the user decides for the district about a case for which a town wanted to call it."""
        seen = Questions(self._house.views.database, sights_of(user)).case(case)
        return seen is not None and seen["case"]["district"] is not None and answers_for_district(user)

    def _may_publish(self, user: User, case: str) -> bool:
        outcome: Outcome | None = self._house.state(outcome_of(case)) if is_stream_id(case) else None
        seen = Questions(self._house.views.database, sights_of(user)).case(case)
        if seen is None or outcome is None or outcome.phase != "drafted":
            return False
        state: Case = self._house.state(case)
        try:
            may_act(user, PublishOutcome, Unit(state.town, state.village))
        except Forbidden:
            return False
        return True

    def _check_opening(self, user: User, case: str) -> None:
        found = Questions(self._house.views.database, sights_of(user)).case(case)
        if found is None:
            raise Forbidden("case: expected one that the user may see, found none")
        try:
            self._may_open(user, found)
        except Rejected as refused:
            logger.warning("words_refused", user=user.name, case=case, reason=str(refused))
            raise

    def _may_open(self, user: User, found: dict[str, Any]) -> None:
        """By the log, not by the view in which the case was found: it may lag."""
        case: Case = self._house.state(found["case"]["case"])
        unit = user.unit
        if case.kept_from(unit.department):
            raise Forbidden("case: expected one that the user may see, found none")
        mine = [
            leg["call"] for leg in found["legs"] if (leg["town"], leg["department"]) == (unit.town, unit.department)
        ]
        if "department_officer" in user.roles and mine:
            try:
                may_open(self._house.state(mine[-1]), user.unit.department, user.person, case.visibility)
            except Rejected:
                if not set(user.roles) & WORDS.keys():
                    raise
            else:
                return
        about = Unit(case.town, case.village)
        may_read_words(user, case.phase, about, confidential=case.visibility == "confidential")


def _opener(user: User) -> str:
    return f"{user.person} ({user.name})"
