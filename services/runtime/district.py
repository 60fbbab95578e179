"""Reads a district's configuration from its folder of TOML files and reports all faults at once."""

import contextlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import msgspec

from events.district import Calendar, Department, District, Milestone
from services.rules.limits import comparable_days, parse_duration
from services.runtime.errors import HujiaoError

FILES = {
    "district.toml": (),
    "places.toml": ("town", "village"),
    "departments.toml": ("platform", "department"),
    "matters.toml": ("matter",),
    "limits.toml": ("limit", "ladder", "periods"),
    "duties.toml": ("duty",),
    "calendar.toml": ("calendar",),
    "senders.toml": ("hotline", "terminal"),
    "people.toml": ("secondment", "cover", "turn_out"),
    "approvals.toml": ("approval",),
}
"""Which tables stand in which file; ``district.toml`` holds plain keys."""

OPTIONAL = frozenset({"approvals.toml", "people.toml", "senders.toml"})
"""Files that may be missing, and may lack their tables."""

RESERVED = frozenset(
    {"act", "alerts", "clerks", "configuration", "demo", "erase", "files", "import", "reaction", "receipt", "timer"}
)
"""Names in front of our own requests' ids: no sender may call itself so."""

ROUTABLE = re.compile(r"[A-Z][A-Z0-9]{0,9}")
"""Codes that stand in queues, users and routing keys."""

URGENT = ("U1", "U2")
"""Classes that no village handles by itself."""

SHORTEST_WORD = 2
LONGEST_DAYS = 3660
LONGEST_SHARE = 10

_FIELDS = {
    "town": "towns",
    "village": "villages",
    "platform": "platforms",
    "department": "departments",
    "matter": "matters",
    "limit": "limits",
    "ladder": "ladder",
    "periods": "periods",
    "duty": "duties",
    "calendar": "calendar",
    "hotline": "hotlines",
    "terminal": "terminals",
    "secondment": "secondment",
    "cover": "cover",
    "turn_out": "turn_out",
    "approval": "approvals",
}
_TYPES: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(District)}
_NEEDED = [field.name for field in msgspec.structs.fields(District) if field.required]


class Faults(HujiaoError):
    """A configuration that cannot be used; ``faults`` are all that is wrong, each with file and key."""

    def __init__(self, folder: Path, faults: list[str]) -> None:
        super().__init__(f"{len(faults)} faults in {folder.name}:\n" + "\n".join(f"  {fault}" for fault in faults))
        self.faults = faults


def find_district(name: str) -> Path:
    """The folder of a district: a path as given, else ``deploy/districts/<name>`` of the checkout or the package.

    Raises:
        Faults: when there is no such folder.
    """
    here = Path(__file__).resolve()
    candidates = (
        Path(name),
        here.parents[2] / "deploy" / "districts" / name,
        here.parents[1] / "districts" / name,
    )
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have is no district
        for folder in candidates:
            if (folder / "district.toml").is_file():
                return folder
    raise Faults(Path(name), [f"expected a folder with a district.toml, found none for {name!r}"])


def load_district(folder: Path) -> District:
    """The configuration in ``folder``.

    Raises:
        Faults: with every fault of every file.
    """
    faults: list[str] = []
    fields: dict[str, Any] = {}
    for file, tables in FILES.items():
        content = _read(folder / file, faults)
        if content is None:
            continue
        for key in content.keys() - set(tables):
            if tables or key not in _TYPES.keys() - set(_FIELDS.values()):
                faults.append(f"{file}: {key}: expected one of {', '.join(tables) or 'the keys of a district'}")
            else:
                _convert(fields, key, content[key], f"{file}: {key}", faults)
        for table in tables:
            _read_table(fields, file, table, content.get(table), faults)
    missing = [name for name in _NEEDED if name not in fields]
    if not faults:
        faults += [f"district.toml: {name}: expected a value, found none" for name in missing]
    if faults:
        raise Faults(folder, faults)
    district = District(**fields)
    faults += check_district(district)
    if faults:
        raise Faults(folder, faults)
    return district


def check_district(district: District) -> list[str]:
    """What does not fit together in a configuration whose parts are each well-formed."""
    return [
        *_check_codes(district),
        *_check_senders(district),
        *_check_matters(district),
        *_check_limits(district),
        *_check_approvals(district),
    ]


def _check_codes(district: District) -> Iterable[str]:
    senders = [*(hotline.name for hotline in district.hotlines), *(terminal.name for terminal in district.terminals)]
    for file, what, codes in (
        ("places.toml", "town", [town.code for town in district.towns]),
        ("places.toml", "town alias", [town.alias for town in district.towns]),
        ("places.toml", "village", [village.code for village in district.villages]),
        ("departments.toml", "platform", [platform.code for platform in district.platforms]),
        ("departments.toml", "department", [department.code for department in district.departments]),
        ("matters.toml", "matter", [matter.code for matter in district.matters]),
        ("limits.toml", "limit", [limit.handling_class for limit in district.limits]),
        ("senders.toml", "sender", senders),
    ):
        for code, times in Counter(codes).items():
            if times > 1:
                yield f"{file}: {what} {code}: expected once, found {times} times"
    coded = [("platform", platform.code) for platform in district.platforms]
    coded += [("department", department.code) for department in district.departments]
    for what, code in coded:
        if not ROUTABLE.fullmatch(code):
            yield (
                f"departments.toml: {what} {code}: code: "
                f"expected a capital letter and up to nine capital letters and digits, found {code!r}"
            )
    towns = {town.code for town in district.towns}
    platforms = {platform.code for platform in district.platforms}
    for village in district.villages:
        if village.town not in towns:
            yield f"places.toml: village {village.code}: town: expected a town of this district, found {village.town}"
    if district.code in towns:
        yield f"places.toml: town {district.code}: code: expected another than the district's own, found it"
    if district.alias in {town.alias for town in district.towns}:
        yield f"places.toml: town alias {district.alias}: expected another than the district's own, found it"
    for department in district.departments:
        where = f"departments.toml: department {department.code}"
        if department.kind != "external" and department.platform not in platforms:
            yield f"{where}: platform: expected one of {', '.join(sorted(platforms))}, found {department.platform!r}"
        for town in set(department.absent_in) - towns:
            yield f"{where}: absent_in: expected a town, found {town}"
        if department.kind == "district_bureau":
            yield from _check_bureau(where, department, district)
    for what, entries in (("town", district.towns), ("village", district.villages)):
        if not entries:
            yield f"places.toml: {what}: expected one at least, found none"
    for duty in district.duties:
        if duty.town != "*" and duty.town not in {*towns, district.code}:
            yield f"duties.toml: duty {duty.person}: town: expected a town, the district or *, found {duty.town}"
        if duty.platform != "*" and duty.platform not in platforms:
            yield f"duties.toml: duty {duty.person}: platform: expected a platform or *, found {duty.platform}"
    stands_in = next((known for known in district.departments if known.code == district.stands_in), None)
    if district.stands_in and (stands_in is None or not all(district.has(stands_in, town) for town in towns)):
        yield f"district.toml: stands_in: expected a department that every town has, found {district.stands_in}"
    for cover in district.cover:
        if (cover.post == "platform_head") != (cover.platform in platforms):
            expected = "expected one where the post is a platform head's, and none elsewhere"
            yield f"people.toml: cover {cover.post}: platform: {expected}, found {cover.platform!r}"
    yield from _check_calendar(district.calendar)


def _check_bureau(where: str, bureau: Department, district: District) -> Iterable[str]:
    if bureau.absent_in:
        yield f"{where}: absent_in: expected no town for a bureau, which is at the district alone, found some"
    if any(known.code == bureau.platform and "district" not in known.levels for known in district.platforms):
        yield f"{where}: platform: expected one that stands at the district, found {bureau.platform}"


def _check_senders(district: District) -> Iterable[str]:
    towns = {town.code for town in district.towns}
    villages = {village.code: village.town for village in district.villages}
    named = [("hotline", hotline.name) for hotline in district.hotlines]
    named += [("terminal", terminal.name) for terminal in district.terminals]
    for kind, name in named:
        if name in RESERVED:
            yield f"senders.toml: {kind} {name}: name: expected none of our own names, found {name}"
    for terminal in district.terminals:
        where = f"senders.toml: terminal {terminal.name}"
        if terminal.town not in towns:
            yield f"{where}: town: expected a town of this district, found {terminal.town}"
        elif terminal.village and villages.get(terminal.village) != terminal.town:
            yield f"{where}: village: expected a village of the town {terminal.town}, found {terminal.village}"


def _check_calendar(calendar: Calendar) -> Iterable[str]:
    moments = [moment for hours in calendar.hours for moment in hours]
    if any(moment.second or moment.microsecond for moment in moments):
        yield "calendar.toml: calendar: hours: expected whole minutes, found seconds"
    if any(earlier >= later for earlier, later in pairwise(moments)):
        found = ", ".join(f"{start:%H:%M} to {end:%H:%M}" for start, end in calendar.hours)
        yield f"calendar.toml: calendar: hours: expected each to begin after the one before has ended, found {found}"
    if not calendar.hours:
        yield "calendar.toml: calendar: hours: expected office hours, found none"
    for day in sorted({*calendar.rest, *calendar.work}):
        if not calendar.first_year <= day.year <= calendar.last_year:
            yield f"calendar.toml: calendar: expected days of announced years, found {day}"


def _check_matters(district: District) -> Iterable[str]:
    departments = {department.code: department for department in district.departments}
    bureaus = {department.code for department in district.departments if department.kind == "district_bureau"}
    if "999" not in {matter.code for matter in district.matters}:
        yield "matters.toml: matter 999: expected the catch-all that takes what fits nowhere else, found none"
    for matter in district.matters:
        where = f"matters.toml: matter {matter.code}"
        for code in (matter.lead, *matter.assists):
            if code not in departments:
                yield f"{where}: expected departments of departments.toml, found {code}"
        for code in (matter.lead, *matter.assists):
            if code in bureaus:
                yield f"{where}: expected departments that are in towns, found the bureau {code}"
        lead = departments.get(matter.lead)
        if lead is not None and (lead.kind == "external" or lead.absent_in):
            yield f"{where}: lead: expected a department that every town has, found {matter.lead}"
        if matter.lead in matter.assists:
            yield f"{where}: assists: expected others than the lead, found {matter.lead}"
        for code in set(matter.required) - set(matter.assists):
            yield f"{where}: required: expected some of the assists, found {code}"
        if matter.district_lead and matter.district_lead not in bureaus:
            yield f"{where}: district_lead: expected a bureau of departments.toml, found {matter.district_lead}"
        if matter.launch != "no" and not matter.district_lead:
            yield f"{where}: district_lead: expected a bureau, as the district may be called, found none"
        if matter.village and matter.handling_class in URGENT:
            yield f"{where}: village: expected a class other than {', '.join(URGENT)}, found {matter.handling_class}"
        if matter.village and matter.visibility == "confidential":
            yield f"{where}: village: expected a matter that is not confidential, found one that is"
        yield from _check_durations(where, matter, ("promised",), ("contain", "contact", "arrive", "statutory"))
        for word in (*matter.strong, *matter.words):
            if len(word) < SHORTEST_WORD:
                yield f"{where}: words: expected {SHORTEST_WORD} characters or more, found {word!r}"
        if matter.statutory and not _slower(matter.promised, matter.statutory):
            yield f"{where}: promised: expected at most the statutory {matter.statutory}, found {matter.promised}"


def _check_limits(district: District) -> Iterable[str]:
    for missing in sorted({"U0", "U1", "U2", "U3", "U4", "U5"} - {limit.handling_class for limit in district.limits}):
        yield f"limits.toml: limit {missing}: expected one for every handling class, found none"
    for limit in district.limits:
        where = f"limits.toml: limit {limit.handling_class}"
        yield from _check_durations(where, limit, ("acknowledge", "result"), ("arrive", "contact", "district_arrive"))
    for step in district.ladder:
        if not 0 < step.after <= LONGEST_SHARE:
            yield (
                f"limits.toml: ladder {step.post}: after: expected a share above 0 and at most {LONGEST_SHARE}, "
                f"found {step.after}"
            )
    periods = ("village", "duplicate", "review", "review_urgent", "follow_up", "anonymous_close", "disclose")
    yield from _check_durations("limits.toml: periods", district.periods, periods, ())
    if district.periods.follow_up_tries < 1:
        yield f"limits.toml: periods: follow_up_tries: expected 1 or more, found {district.periods.follow_up_tries}"
    if not 0 <= district.triage_threshold <= 1:
        yield f"district.toml: triage_threshold: expected 0 to 1, found {district.triage_threshold}"


def _check_approvals(district: District) -> Iterable[str]:
    departments = {department.code: department for department in district.departments}
    matters = {matter.code for matter in district.matters}
    for matter, times in Counter(asked.matter for asked in district.approvals).items():
        if times > 1:
            yield f"approvals.toml: approval {matter}: expected once, found {times} times"
        if matter not in matters:
            yield f"approvals.toml: approval {matter}: matter: expected one of matters.toml, found {matter}"
    for asked in district.approvals:
        where = f"approvals.toml: approval {asked.matter}"
        yield from _check_durations(where, asked, ("due",), ())
        yield from _check_durations(f"{where}: milestones", asked.milestones, (), get_args(Milestone))
        if not asked.items:
            yield f"{where}: items: expected one at least, found none"
        for code, times in Counter(item.code for item in asked.items).items():
            if times > 1:
                yield f"{where}: item {code}: expected once, found {times} times"
        for item in asked.items:
            yield from _check_durations(f"{where}: item {item.code}", item, (), ("statutory",))
            known = departments.get(item.department)
            if known is None or not all(district.has(known, town.code) for town in district.towns):
                yield (
                    f"{where}: item {item.code}: department: expected one that every town has, found {item.department}"
                )
            if item.statutory and not _slower(asked.due, item.statutory):
                yield f"{where}: due: expected at most the statutory {item.statutory} of {item.code}, found {asked.due}"


def _check_durations(where: str, part: object, needed: tuple[str, ...], optional: tuple[str, ...]) -> Iterable[str]:
    for name in (*needed, *optional):
        text = getattr(part, name)
        if not text and name in optional:
            continue
        try:
            duration = parse_duration(text)
        except ValueError as error:
            yield f"{where}: {name}: {error}"
        else:
            if comparable_days(duration) > LONGEST_DAYS:
                yield f"{where}: {name}: expected at most {LONGEST_DAYS} days, found {text}"


def _slower(promised: str, statutory: str) -> bool:
    try:
        return comparable_days(parse_duration(promised)) <= comparable_days(parse_duration(statutory))
    except ValueError:
        return True


def _read(path: Path, faults: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if path.name in OPTIONAL:
            return {}
        faults.append(f"{path.name}: expected a file, found none")
    except OSError as error:
        faults.append(f"{path.name}: expected a readable file, found: {error.strerror}")
    except UnicodeDecodeError as error:
        faults.append(f"{path.name}: expected UTF-8, found the byte {error.object[error.start]:#04x} at {error.start}")
    except (ValueError, RecursionError) as error:
        faults.append(f"{path.name}: expected TOML, found: {error or 'too many nested brackets'}")
    return None


def _read_table(fields: dict[str, Any], file: str, table: str, content: Any, faults: list[str]) -> None:
    field = _FIELDS[table]
    if content is None:
        if file not in OPTIONAL:
            faults.append(f"{file}: {table}: expected a table, found none")
        return
    if table in ("periods", "calendar", "secondment", "turn_out"):
        _convert(fields, field, content, f"{file}: {table}", faults)
        return
    if not isinstance(content, list):
        faults.append(f"{file}: {table}: expected [[{table}]], found {type(content).__name__}")
        return
    entry_type = _TYPES[field].__args__[0]
    entries: dict[str, Any] = {}
    for n, entry in enumerate(content, start=1):
        _convert(entries, str(n), entry, f"{file}: {table} {_name_of(entry) or n}", faults, entry_type)
    fields[field] = tuple(entries.values())


def _name_of(entry: Any) -> Any:
    return next(
        (entry[key] for key in ("code", "class", "name", "matter") if isinstance(entry, dict) and key in entry), None
    )


def _convert(fields: dict[str, Any], field: str, value: Any, where: str, faults: list[str], form: Any = None) -> None:
    try:
        fields[field] = msgspec.convert(value, form or _TYPES[field])
    except msgspec.ValidationError as error:
        faults.append(f"{where}: {str(error)[0].lower()}{str(error)[1:]}")
