"""What of the cases somebody may see: every question that is asked for a person is asked within their sight."""

from collections.abc import Sequence

from msgspec import Struct


class Sight(Struct, frozen=True):
    """Cases of one unit; an empty part stands for all. A department or platform sees the cases it is called for.

    Of the district's own unit are the cases for which a town has wanted to call it; with ``asked`` only such are seen,
    whichever town it was. Without ``confidential`` nothing shows that there is a confidential matter. Who is of a
    department sees nothing of a case that it has no part in (``of``), in whichever role.
    """

    town: str = ""
    village: str = ""
    platform: str = ""
    department: str = ""
    confidential: bool = True
    asked: bool = False
    of: str = ""


_CONDITIONS = {
    "town": "(seen.town = :{0} OR seen.district = :{0})",
    "village": "seen.village = :{0}",
    "platform": 'EXISTS (SELECT 1 FROM calls WHERE calls."case" = seen."case" AND calls.platform = :{0}{1})',
    "department": 'EXISTS (SELECT 1 FROM legs WHERE legs."case" = seen."case" AND legs.department = :{0}{2})',
}
_THERE = (" AND calls.town = :{0}", " AND legs.town = :{0}")
"""The same platform stands in the town and at the district."""
_NOT_RECUSED = (
    'NOT EXISTS (SELECT 1 FROM recusals WHERE recusals."case" = seen."case" AND recusals.department = :{0}'
    " AND (recusals.ground <> 'named' OR seen.phase = 'triage'))"
)
_NOT_CONFIDENTIAL = "seen.visibility <> 'confidential'"
"""What is not classified yet may turn out to be: it is not seen either."""


def within(sights: Sequence[Sight] | None, table: str) -> tuple[str, dict[str, str]]:
    """A condition in SQL on the rows of ``table``, which have a case, and its values.

    Any of the sights will do; of none at all nothing is seen, and ``None`` sees everything.
    """
    if sights is None:
        return "1 = 1", {}
    values: dict[str, str] = {}
    any_of = []
    for n, sight in enumerate(sights):
        all_of = [] if sight.confidential else [_NOT_CONFIDENTIAL]
        if sight.asked:
            all_of.append("seen.district IS NOT NULL")
        if sight.of:
            values[f"of{n}_"] = sight.of
            all_of.append(_NOT_RECUSED.format(f"of{n}_"))
        there = [condition.format(f"town{n}_") if sight.town else "" for condition in _THERE]
        for part, condition in _CONDITIONS.items():
            wanted = getattr(sight, part)
            if wanted:
                values[f"{part}{n}_"] = wanted
                all_of.append(condition.format(f"{part}{n}_", *there))
        any_of.append(" AND ".join(all_of) or "1 = 1")
    seen = " OR ".join(f"({one})" for one in any_of) or "1 = 0"
    return f'EXISTS (SELECT 1 FROM cases seen WHERE seen."case" = {table}."case" AND ({seen}))', values
