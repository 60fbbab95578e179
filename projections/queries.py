"""Questions that the screens and the command line ask of the views; analysts ask their own in SQL."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from projections.sight import Sight, within
from projections.store import Database
from projections.view import moment_text, plain_text

Found = dict[str, Any]
"""A row as found, the same from every database: times are ISO 8601 text in UTC, flags 0 or 1."""

FIGURES = {
    "reports": "SELECT count(*) FROM reports",
    "cases": "SELECT count(*) FROM cases",
    "open": "SELECT count(*) FROM cases WHERE phase <> 'closed'",
    "linked": "SELECT coalesce(sum(reports) - count(*), 0) FROM cases",
    "triage": "SELECT count(*) FROM triage",
    "calls": "SELECT count(*) FROM calls",
    "legs": "SELECT count(*) FROM legs",
    "acknowledged": "SELECT count(*) FROM legs WHERE acknowledged_at IS NOT NULL",
    "acknowledged_late": "SELECT count(*) FROM legs WHERE acknowledged_late",
    "reported_in": "SELECT count(*) FROM legs WHERE reported_in_at IS NOT NULL",
    "closed": "SELECT count(*) FROM cases WHERE phase = 'closed'",
    "disclosed": "SELECT count(*) FROM notices WHERE phase = 'published'",
    "overdue": "SELECT count(*) FROM board WHERE overdue",
    "catch_all": "SELECT count(*) FROM cases WHERE matter = '999'",
}
"""The figures of `hujiao status`, each with the question that it answers."""


SOON = timedelta(hours=1)
"""What falls due within so long is approaching its due time."""

_MOST_OF_A_NIGHT = 500
_URGENT = 'late DESC, due IS NULL, due, "case", owner'


class Questions:
    """Asks the views. Every answer is of one consistent state, and within the ``sights`` of whoever asks."""

    def __init__(self, database: Database, sights: Sequence[Sight] | None = None) -> None:
        self._database, self._sights = database, sights

    def within(self, sights: Sequence[Sight]) -> "Questions":
        """The same, for somebody who may see only this."""
        return Questions(self._database, sights)

    def figures(self) -> dict[str, int]:
        """How much there is of everything."""
        with self._database.reading() as connection:
            return {name: int(connection.execute(text(sql)).scalar_one()) for name, sql in FIGURES.items()}

    def board(
        self, now: datetime, town: str = "", classes: Sequence[str] = (), overdue: bool = False, limit: int = 50
    ) -> Found:
        """What is open: overdue first, then by due time; at most ``limit`` rows of each platform, all counted.

        Of a ``town`` is also what the district owes for the town's cases.

        Overdue is what is late at ``now``, whether or not its clock has been recorded as missed; soon is what will be
        within the hour.
        """
        conditions = (
            ('(town = :town OR "case" IN (SELECT "case" FROM cases WHERE tracker = :town))', town),
            (f"handling_class IN ({', '.join(f':class{n}' for n in range(len(classes)))})", classes),
            ("late = 1", overdue),
        )
        chosen = " AND ".join(condition for condition, wanted in conditions if wanted) or "1 = 1"
        values = {"now": moment_text(now), "soon": moment_text(now + SOON), "town": town, "limit": limit}
        values |= {f"class{n}": name for n, name in enumerate(classes)}
        seen, mine = within(self._sights, "board")
        values |= mine
        late = "CASE WHEN overdue OR due < :now THEN 1 ELSE 0 END"
        soon = f"CASE WHEN {late} = 0 AND due < :soon THEN 1 ELSE 0 END"
        every = f"SELECT *, coalesce(platform, owner) AS grp, {late} AS late, {soon} AS soon FROM board WHERE {seen}"
        some = f"SELECT * FROM ({every}) AS owed WHERE {chosen}"
        ranked = f"SELECT *, row_number() OVER (PARTITION BY grp ORDER BY {_URGENT}) AS rank FROM ({some}) AS chosen"
        first = f"SELECT * FROM ({ranked}) AS ranked WHERE rank <= :limit ORDER BY {_URGENT}"
        counting = "grp, count(*) AS total, sum(late) AS overdue, sum(soon) AS soon"
        counted = f"SELECT {counting} FROM ({some}) AS chosen GROUP BY grp"
        with self._database.reading() as connection:
            rows = _rows(connection, first, **values)
            counts = _rows(connection, f"{counted} ORDER BY grp", **values)
        sums = ("total", "overdue", "soon")
        return {
            **{name: sum(count[name] for count in counts) for name in sums},
            "groups": {count["grp"]: {name: count[name] for name in sums} for count in counts},
            "rows": [{**row, "overdue": row["late"]} for row in rows],
        }

    def owed(self, now: datetime) -> list[Found]:
        """Who owes how much in which town, how much of it is late at ``now``, and how long the oldest call has waited.

        It waits, in seconds, until it is acknowledged (签收).
        """
        late = "CASE WHEN overdue OR due < :now THEN 1 ELSE 0 END"
        sql = (
            f"SELECT town, owner, count(*) AS owed, sum({late}) AS overdue,"
            " min(CASE WHEN owes = 'acknowledge' THEN since END) AS waits_since"
            " FROM board GROUP BY town, owner ORDER BY town, owner"
        )
        with self._database.reading() as connection:
            rows = _rows(connection, sql, now=moment_text(now))
        return [row | {"unacknowledged_s": _age_s(row.pop("waits_since"), now)} for row in rows]

    def recent(self, limit: int = 40) -> list[Found]:
        """What happened last, newest first."""
        seen, values = within(self._sights, "timeline")
        sql = (
            "SELECT t.*, c.town, c.matter FROM"
            f" (SELECT * FROM timeline WHERE {seen} ORDER BY position DESC LIMIT :limit) t"
            ' LEFT JOIN cases c ON c."case" = t."case" ORDER BY t.position DESC'
        )
        with self._database.reading() as connection:
            return _rows(connection, sql, limit=limit, **values)

    def happened(self, after: int, upto: int, limit: int) -> list[Found]:
        """What happened after one position up to another, inclusive, in order."""
        seen, values = within(self._sights, "t")
        sql = (
            'SELECT t.*, c.town, c.matter FROM timeline t LEFT JOIN cases c ON c."case" = t."case"'
            f" WHERE t.position > :after AND t.position <= :upto AND {seen} ORDER BY t.position LIMIT :limit"
        )
        with self._database.reading() as connection:
            return _rows(connection, sql, after=after, upto=upto, limit=limit, **values)

    def cases(self, phase: str = "", town: str = "", limit: int = 100) -> list[Found]:
        """Cases, newest first."""
        seen, values = within(self._sights, "cases")
        asked = (f"{name} = :{name}" for name, value in (("phase", phase), ("town", town)) if value)
        sql = f'SELECT * FROM cases WHERE {" AND ".join((*asked, seen))} ORDER BY "case" DESC LIMIT :limit'
        with self._database.reading() as connection:
            return _rows(connection, sql, phase=phase, town=town, limit=limit, **values)

    def case(self, case: str) -> Found | None:
        """Everything about one case: as it stands, and the rows of every view that tell of it."""
        parts = {
            "reports": 'SELECT * FROM reports WHERE "case" = :case ORDER BY report',
            "calls": 'SELECT * FROM calls WHERE "case" = :case ORDER BY attempt, platform, call',
            "legs": 'SELECT * FROM legs WHERE "case" = :case ORDER BY called_at, role DESC, department, call',
            "files": (
                'SELECT * FROM files WHERE stream IN (SELECT report FROM reports WHERE "case" = :case)'
                ' OR stream IN (SELECT "call" FROM calls WHERE "case" = :case) ORDER BY position'
            ),
            "board": 'SELECT * FROM board WHERE "case" = :case ORDER BY owner',
            "recusals": 'SELECT * FROM recusals WHERE "case" = :case ORDER BY department',
            "timeline": 'SELECT * FROM timeline WHERE "case" = :case ORDER BY position',
            "approvals": 'SELECT * FROM approvals WHERE "case" = :case ORDER BY round, item',
            "approval_rounds": 'SELECT * FROM approval_rounds WHERE "case" = :case ORDER BY round',
            "milestones": 'SELECT * FROM milestones WHERE "case" = :case ORDER BY reached_on IS NULL, reached_on, due',
        }
        seen, values = within(self._sights, "cases")
        with self._database.reading() as connection:
            found = _rows(connection, f'SELECT * FROM cases WHERE "case" = :case AND {seen}', case=case, **values)
            if not found:
                return None
            return {"case": found[0], **{name: _rows(connection, sql, case=case) for name, sql in parts.items()}}

    def people(self, town: str = "") -> list[Found]:
        """The register of a town, or of all: by town, department and number."""
        sql = f"SELECT * FROM people WHERE {'town = :town' if town else '1 = 1'} ORDER BY town, department, number"
        with self._database.reading() as connection:
            return _rows(connection, sql, town=town)

    def secondments(self, town: str = "") -> list[Found]:
        """借调: every step of the secondments of a town's people, or of all, for each person in order."""
        of_town = "WHERE person IN (SELECT person FROM people WHERE town = :town) " if town else ""
        with self._database.reading() as connection:
            return _rows(connection, f"SELECT * FROM secondments {of_town}ORDER BY person, version", town=town)

    def party_organisations(self, platform_of: Mapping[str, str], day: date, town: str = "") -> list[Found]:
        """The Party organisations of a town's platforms, or of all, on a day: by town and platform.

        ``platform_of`` says of each department which platform it is of. Each row tells how many ``members`` there are,
        and the secretary by name, as long as they are one.
        """
        of_town = "town = :town AND " if town else ""
        orgs = f"SELECT * FROM party_organisations WHERE {of_town}since <= :day AND coalesce(until, '9') > :day"
        people = "SELECT number, name, town, department FROM roster WHERE party_relation = 'town_committee'"
        with self._database.reading() as connection:
            found = _rows(connection, f"{orgs} ORDER BY town, platform", town=town, day=day.isoformat())
            known = _rows(connection, f"{people} ORDER BY number")
        names: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        for one in known:
            names[one["town"], platform_of.get(one["department"], "")][one["number"]] = one["name"]
        return [
            org | {"members": len(mine), "secretary_name": mine.get(org["secretary"])}
            for org in found
            for mine in (names[org["town"], org["platform"]],)
        ]

    def launch_attempts(self, town: str = "", limit: int = 1000) -> list[Found]:
        """Attempts of a town, or of all, to call the district: the newest first."""
        seen, values = within(self._sights, "launch_attempts")
        of_town = "town = :town AND " if town else ""
        sql = f'SELECT * FROM launch_attempts WHERE {of_town}{seen} ORDER BY at DESC, "case", version LIMIT :limit'
        with self._database.reading() as connection:
            return _rows(connection, sql, town=town, limit=limit, **values)

    def refused_launches(self) -> list[Found]:
        """清单外呼叫: how often the list refused a matter to a town, and on which ground, the most often first."""
        seen, values = within(self._sights, "launch_attempts")
        sql = (
            "SELECT matter, town, ground, count(*) AS times, max(at) AS last_at FROM launch_attempts"
            f" WHERE outcome = 'refused' AND {seen} GROUP BY matter, town, ground"
            " ORDER BY times DESC, last_at DESC, matter, town, ground"
        )
        with self._database.reading() as connection:
            return _rows(connection, sql, **values)

    def at_district(self, limit: int = 200) -> dict[str, list[Found]]:
        """What waits at the district, by due time: ``waiver``, whose town was refused, ``district``, what is there."""
        seen, values = within(self._sights, "cases")
        at_work = f"phase IN ('calling', 'in_progress') AND {seen}"
        by_due = 'ORDER BY result_due IS NULL, result_due, "case" LIMIT :limit'
        parts = {"waiver": "level = 'town' AND asked = 'refused'", "district": "level = 'district'"}
        asked = {name: f"SELECT * FROM cases WHERE {which} AND {at_work} {by_due}" for name, which in parts.items()}
        with self._database.reading() as connection:
            return {name: _rows(connection, sql, limit=limit, **values) for name, sql in asked.items()}

    def roster(self, town: str) -> list[Found]:
        """Who of a town is there, away, on a scene or helping out: by department and number."""
        sql = "SELECT * FROM roster WHERE town = :town ORDER BY department, number"
        with self._database.reading() as connection:
            return _rows(connection, sql, town=town)

    def shifts(self, town: str, now: datetime) -> list[Found]:
        """The shifts of a town that are not over, in order."""
        sql = (
            'SELECT shifts.*, roster.name FROM shifts LEFT JOIN roster ON roster."roster" = shifts."roster"'
            ' AND roster.number = shifts.number WHERE shifts.town = :town AND shifts."end" > :now'
            " ORDER BY shifts.start, shifts.shift"
        )
        with self._database.reading() as connection:
            return _rows(connection, sql, town=town, now=moment_text(now))

    def gaps(self, town: str, now: datetime) -> list[Found]:
        """The hours without cover that a town was told of and that are not over."""
        sql = 'SELECT * FROM gaps WHERE town = :town AND "end" > :now ORDER BY start, post, platform'
        with self._database.reading() as connection:
            return _rows(connection, sql, town=town, now=moment_text(now))

    def turn_out(self, case: str) -> Found | None:
        """The turn-out of a case, as in `turn_outs`; ``None`` when nobody turned out or it may not be seen."""
        found = self._turn_outs('"case" = :case', case=case)
        return found[0] if found else None

    def turn_outs(self) -> list[Found]:
        """联合出动 under way, those that wait for people first, each with its ``departments`` and how many came.

        Of a department are ``called`` all who ever were, ``coming`` those on the way, ``present`` those on the spot and
        ``gone`` those who cannot come or dropped out.
        """
        return self._turn_outs("phase IN ('confirming', 'short', 'mustered')")

    def _turn_outs(self, which: str, **values: str) -> list[Found]:
        seen, mine = within(self._sights, "mobilisations")
        chosen = f"FROM mobilisations WHERE {which} AND {seen}"
        presences = {"coming": "'confirmed'", "present": "'present'", "gone": "'declined', 'dropped'"}
        sums = ", ".join(
            f"sum(CASE WHEN presence IN ({those}) THEN 1 ELSE 0 END) AS {name}" for name, those in presences.items()
        )
        counted = (
            f"SELECT mobilisation, department, count(*) AS called, {sums} FROM responders"
            f" WHERE mobilisation IN (SELECT mobilisation {chosen})"
            " GROUP BY mobilisation, department ORDER BY department"
        )
        waiting_first = "CASE WHEN phase = 'mustered' THEN 1 ELSE 0 END, muster_due, mobilisation"
        with self._database.reading() as connection:
            rows = _rows(connection, f"SELECT * {chosen} ORDER BY {waiting_first}", **values, **mine)
            departments = _rows(connection, counted, **values, **mine)
        return [
            {**row, "departments": [one for one in departments if one["mobilisation"] == row["mobilisation"]]}
            for row in rows
        ]

    def responders(self, mobilisation: str) -> list[Found]:
        """Who was called to a turn-out, and who came."""
        sql = "SELECT * FROM responders WHERE mobilisation = :mobilisation ORDER BY department, number"
        with self._database.reading() as connection:
            return _rows(connection, sql, mobilisation=mobilisation)

    def find_case(self, reference: str) -> list[str]:
        """The cases that a receipt, a case's id or the beginning of one can mean."""
        sql = (
            'SELECT "case" FROM cases WHERE "case" >= :low AND "case" < :high'
            ' UNION SELECT "case" FROM reports WHERE receipt = :receipt AND "case" IS NOT NULL'
            ' ORDER BY "case" LIMIT 20'
        )
        with self._database.reading() as connection:
            rows = _rows(connection, sql, low=reference, high=reference + "g", receipt=reference.upper())
        return [row["case"] for row in rows]

    def receipt(self, receipt: str) -> Found | None:
        """The report with this receipt, how its case stands, and who holds it now."""
        sql = (
            "SELECT r.*, c.phase AS stage, c.matter, c.visibility, c.result_due, n.phase AS notice, n.reply"
            " FROM reports r"
            ' LEFT JOIN cases c ON c."case" = r."case" LEFT JOIN notices n ON n."case" = r."case"'
            " WHERE r.receipt = :receipt"
        )
        holders = 'SELECT owner FROM board WHERE "case" = :case ORDER BY owner'
        with self._database.reading() as connection:
            found = _rows(connection, sql, receipt=receipt)
            held = _rows(connection, holders, case=found[0]["case"]) if found else []
        return {**found[0], "holders": [row["owner"] for row in held]} if found else None

    def reported_at(self, source: str, record: str) -> str | None:
        """When the sender's record was reported, if it is known."""
        sql = "SELECT reported_at FROM reports WHERE source = :source AND record = :record"
        with self._database.reading() as connection:
            found = _rows(connection, sql, source=source, record=record)
        return found[0]["reported_at"] if found else None

    def triage(self) -> list[Found]:
        """Cases that wait for an operator, the oldest first."""
        seen, values = within(self._sights, "triage")
        with self._database.reading() as connection:
            return _rows(connection, f'SELECT * FROM triage WHERE {seen} ORDER BY queued_at, "case"', **values)

    def workload(self, town: str = "", department: str = "") -> list[Found]:
        """How busy departments are: of a town or of all, one or all."""
        wanted = {"town": town, "department": department}
        chosen = " AND ".join(f"{name} = :{name}" for name, value in wanted.items() if value) or "1 = 1"
        sql = f"SELECT * FROM workload WHERE {chosen} ORDER BY town, department"
        with self._database.reading() as connection:
            return _rows(connection, sql, town=town, department=department)

    def owing(self, now: datetime, owes: Sequence[str], owner: str = "", limit: int = 100) -> list[Found]:
        """What waits for a desk: rows of the board that owe one of these, the most urgent first.

        With an ``owner``, a department's: what it owes, with how far it has come.
        """
        seen, values = within(self._sights, "board")
        late = "CASE WHEN board.overdue OR board.due < :now THEN 1 ELSE 0 END"
        of_owner = "board.owner = :owner" if owner else f"owes IN ({', '.join(f':owes{n}' for n in range(len(owes)))})"
        sql = (
            f"SELECT board.*, {late} AS late, legs.progress, cases.visibility, cases.reports, cases.attempt FROM board"
            ' LEFT JOIN legs ON legs."call" = board."call" AND legs.department = board.owner'
            f' JOIN cases ON cases."case" = board."case" WHERE {of_owner} AND {seen}'
            f' ORDER BY late DESC, board.due IS NULL, board.due, board."case" LIMIT :limit'
        )
        values |= {f"owes{n}": name for n, name in enumerate(owes)}
        with self._database.reading() as connection:
            return _rows(connection, sql, now=moment_text(now), owner=owner, limit=limit, **values)

    def unreached(self) -> list[Found]:
        """Departments that were alerted in vain and have not acknowledged, the most urgent first.

        A row for each channel that failed: ``failed`` says which, and why.
        """
        sql = (
            'SELECT legs."case", legs."call", legs.town, legs.platform, legs.department, legs.handling_class,'
            " legs.acknowledge_due, timeline.at AS failed_at, timeline.detail AS failed FROM legs JOIN timeline"
            ' ON timeline."case" = legs."case" AND timeline.stream = legs."call"'
            " AND timeline.department = legs.department AND timeline.what = 'call.delivery-failed.v1'"
            " WHERE legs.progress = 'called' AND legs.delivered_at IS NULL AND legs.delivery <> 'under_way'"
            ' ORDER BY legs.acknowledge_due, legs."case", legs.department, timeline.version'
        )
        with self._database.reading() as connection:
            return _rows(connection, sql)

    def published(self, town: str = "", limit: int = 50) -> list[Found]:
        """Notices that everybody may read, newest first."""
        chosen = "AND town = :town" if town else ""
        sql = f"SELECT * FROM notices WHERE phase = 'published' {chosen} ORDER BY decided_at DESC LIMIT :limit"
        with self._database.reading() as connection:
            return _rows(connection, sql, town=town, limit=limit)

    def night(self, town: str, since: datetime, until: datetime, ends: datetime) -> Found:
        """What a town's morning begins with: the cases of the night, the clocks missed in it, and what is due by then.

        The night is from ``since`` to ``until``, the day lasts until ``ends``.
        """
        of_cases, values = within(self._sights, "cases")
        of_board, mine = within(self._sights, "board")
        in_night = "BETWEEN :since AND :until"
        parts = {
            "cases": "SELECT * FROM cases WHERE (town = :town OR district = :town)"
            f" AND opened_at {in_night} AND {of_cases}"
            ' ORDER BY handling_class IS NULL, handling_class, "case" LIMIT :limit',
            "missed": "SELECT t.*, cases.matter, cases.handling_class, cases.village FROM timeline t"
            ' JOIN cases ON cases."case" = t."case" WHERE (cases.town = :town OR cases.district = :town)'
            f" AND t.what = :missed AND t.at {in_night} AND {of_cases} ORDER BY t.position LIMIT :limit",
            "due": f"SELECT * FROM board WHERE town = :town AND due <= :ends AND {of_board}"
            " ORDER BY due, owner LIMIT :limit",
        }
        moments = {"since": since, "until": until, "ends": ends}
        values |= mine | {name: moment_text(moment) for name, moment in moments.items()}
        values |= {"town": town, "missed": "call.clock-missed.v1"}
        with self._database.reading() as connection:
            return {name: _rows(connection, sql, limit=_MOST_OF_A_NIGHT, **values) for name, sql in parts.items()}

    def figure(self, name: str) -> int:
        """One of the figures."""
        with self._database.reading() as connection:
            return int(connection.execute(text(FIGURES[name])).scalar_one())

    def sql(self, question: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of somebody's own question; it can read and change nothing."""
        as_it_is = {"no_parameters": True, "stream_results": True}  # one query behind a cursor, and no other statement
        with self._database.asking() as connection:
            result = connection.exec_driver_sql(question, execution_options=as_it_is)
            return list(result.keys()), [tuple(row) for row in result]


def _rows(connection: Connection, sql: str, **values: Any) -> list[Found]:
    asked = {name: plain_text(value) if isinstance(value, str) else value for name, value in values.items()}
    return [dict(row) for row in connection.execute(text(sql), asked).mappings()]


def _age_s(since: str | None, now: datetime) -> float:
    return (now - datetime.fromisoformat(since)).total_seconds() if since else 0.0
