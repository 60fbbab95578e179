"""Keeping the house: rebuild, digest, verify, erase, parked, schema, and the district's own files."""

import getpass
import json
import re
import shutil
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import App, Parameter

from events.district import Hotline
from events.report import EraseReport, ErasureReason
from events.schema import asyncapi, json_schemas
from events.user import Unit
from projections.queries import Questions
from services.cli.houses import (
    DEFAULT_DATA,
    DEFAULT_DISTRICT,
    Data,
    Json,
    drain,
    existing_house,
    existing_place,
    known_user,
    place_of,
)
from services.cli.screen import Exit, out, print_json, progress, table
from services.decisions import Rejected
from services.intake.receipt import make_receipt, read_receipt
from services.messaging.topology import Senders
from services.people.authority import may_act
from services.rules.book import RuleBook, configuration_hash
from services.runtime import parking
from services.runtime.clock import SystemClock
from services.runtime.district import find_district, load_district
from services.runtime.errors import HujiaoError
from services.runtime.log import Log
from services.runtime.seal import verify as verify_log
from services.wiring import House

district = App(name="district", help="A district's own configuration.")
parked = App(name="parked", help="Facts and requests that could not be handled and wait for an operator.")

_EXAMPLE = "2026-000123"
_COPIED = (
    "departments.toml",
    "matters.toml",
    "limits.toml",
    "duties.toml",
    "people.toml",
    "approvals.toml",
    "calendar.toml",
)
"""What a new district begins with from the sample; the rest it has to write itself."""

_PLACES = """# The towns (镇) and villages (村、社区) by their statistics codes: replace these examples.
[[town]]
code = "{code}100"
alias = "AA"
zh = "示例镇"
en = "Example"

[[village]]
code = "{code}100001"
town = "{code}100"
zh = "示例社区居民委员会"
"""
_SENDERS = """# Who sends us reports: hotlines (热线) over AMQP, terminals (终端) over MQTT, each under its own user.
# Replace these examples; without any, reports come over HTTP and from files.
# A name never changes: it is the source of the reports.
[[hotline]]
name = "hotline-example"
zh = "示例热线"
en = "Example hotline"

[[terminal]]
name = "village-{code}100001"
town = "{code}100"
channel = "village"
village = "{code}100001"
zh = "示例社区终端"
en = "Example village terminal"
"""
_DISTRICT = """code = "{code}"
alias = "{alias}"
zh = "{zh}"
en = "{en}"
note = "示例配置 Sample configuration: replace departments, matters and limits by your own."

# Below this score of the catalogue's words a report waits for an operator (待分类).
triage_threshold = 0.5
"""


def rebuild(*, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Build every view anew from the log, beside what readers see, and switch when all are there."""
    with existing_house(data) as house:
        head = house.log.head()
        with progress("Rebuilding the views", head) as update:
            house.views.rebuild(house.log, update)
        digests = house.views.digest()
    _show_digests(digests, as_json)
    return Exit.DONE


def digest(*, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show a SHA-256 per view: the same wherever the same facts were folded."""
    with existing_house(data) as house:
        digests = house.views.digest()
    _show_digests(digests, as_json)
    return Exit.DONE


def verify(*, head: str = "", data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Check every stored fact against the chain of seals.

    Parameters
    ----------
    head
        A seal noted earlier (this command prints the newest): shows whether the end of the log was cut off.
    """
    if head and not re.fullmatch(r"[0-9a-f]{64}", head):
        raise HujiaoError(f"--head: expected 64 hexadecimal digits, found {head!r}")
    log = Log(existing_place(data).log())
    try:
        found = verify_log(log, head)
    finally:
        log.close()
    if as_json:
        print_json(
            {
                "facts": found.facts,
                "batches": found.batches,
                "head": found.head,
                "fault": found.fault._asdict() if found.fault else None,
            }
        )
    elif found.fault:
        out.print(f"[red]Fault[/red]: {found.fault.what}.")
    else:
        out.print(f"[green]Intact[/green]: {found.facts:,} facts in {found.batches:,} batches. Head {found.head}")
    return Exit.FAULT_FOUND if found.fault else Exit.DONE


def erase(
    receipt: str,
    *,
    by: Annotated[str, Parameter(help="Who orders it: a user; a named person, as long as there is none.")],
    reason: ErasureReason = "request",
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> Exit:
    """Erase the person behind a report for ever: words, contact and attachments can never be read again."""
    wanted = read_receipt(receipt)
    with existing_house(data) as house:
        found = Questions(house.views.database).receipt(wanted)
        if found is None:
            raise HujiaoError(f"receipt: expected one that we gave, found none such: {receipt}")
        if house.users():
            user = known_user(house, by)
            may_act(user, EraseReport, Unit(found["town"], found["village"] or ""))
            by = user.person
        answer = house.erase(found["report"], by, reason)
        if answer.status == "rejected":
            raise Rejected(answer.reason)
        drain(house)
    if as_json:
        print_json({"receipt": wanted, "report": found["report"], "erased": bool(answer.facts)})
    else:
        out.print(
            f"Erased. Case {found['case']} goes on without the words." if answer.facts else "It was erased already."
        )
    return Exit.DONE


def receipt_key(source: str, *, by: str = "", data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show the key with which a hotline or terminal computes receipts itself; that you saw it is recorded.

    HMAC-SHA256 of "SOURCE/RECORD" under the key is read as one big-endian number. Its ten lowest digits to the base
    31, the lowest first, are written in 23456789ABCDEFGHJKLMNPQRSTVWXYZ and stand after the town's two letters. The
    check character comes last: the sum of (place from 1) x (digit) over the twelve before it, modulo 31.

    Parameters
    ----------
    source
        The sender's name, such as hotline-12345 or app-ld.
    by
        Who gets it; without it, who is logged in here.
    """
    with existing_house(data) as house:
        rules = house.ledger.rules
        senders = Senders(rules.district)
        terminal = senders.terminal(source)
        if terminal is None and not isinstance(senders.who(source), Hotline):
            raise HujiaoError(f"source: expected a hotline or terminal of {rules.district.zh}, found {source!r}")
        key = house.vault.hand_out_receipt_key(source, by or getpass.getuser(), house.clock.now())
        town = rules.towns[terminal.town] if terminal else rules.district.towns[0]
    example = {"town": town.alias, "record": _EXAMPLE, "receipt": make_receipt(key, town.alias, source, _EXAMPLE)}
    if as_json:
        print_json({"source": source, "key": key.hex(), "example": example})
    else:
        rows = {
            "source": source,
            "key (hexadecimal)": key.hex(),
            f"receipt of {_EXAMPLE} in {town.zh}": example["receipt"],
        }
        table(f"Receipt key of {source}", ("", ""), rows.items())
    return Exit.DONE


def schema(folder: Path) -> Exit:
    """Write the language for other systems: one JSON Schema per wire name and one AsyncAPI 3.0 document."""
    folder.mkdir(parents=True, exist_ok=True)
    schemas = json_schemas()
    for name, content in schemas.items():
        _write_json(folder / f"{name}.schema.json", content)
    _write_json(folder / "asyncapi.json", asyncapi(version("hujiao")))
    out.print(f"Wrote {len(schemas)} JSON Schemas and asyncapi.json to {folder}.")
    return Exit.DONE


@parked.command(name="list")
def list_parked(*, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show what is parked, and why."""
    with existing_house(data) as house, house.log.reading() as cursor:
        found = [row._replace(request=None)._asdict() for row in parking.all_parked(cursor)]
    if as_json:
        print_json(found)
    else:
        rows = ((row["what"], row["position"], row["stream"], row["parked_at"], row["cause"]) for row in found)
        table("Parked", ("what", "position", "stream", "parked", "cause"), rows)
    return Exit.DONE


@parked.command(name="show")
def show_parked(what: str, *, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show everything about one thing that is parked: who parked it, why, and what it says; words stay encrypted."""
    with existing_house(data) as house:
        with house.log.reading() as cursor:
            found = [row for row in parking.all_parked(cursor) if row.what == what]
        if not found:
            raise HujiaoError(f"what: expected something parked, found nothing called {what!r}")
        shown = [{**row._asdict(), "request": None, "says": _says(house, row)} for row in found]
    if as_json:
        print_json(shown)
    else:
        for row in shown:
            table(f"Parked by {row['subscriber']}", ("field", "value"), row.items())
    return Exit.DONE


@parked.command
def release(what: str, *, data: Data = DEFAULT_DATA) -> Exit:
    """Have something parked, and what waits behind it, handled again."""
    return _settle(data, what, "release")


@parked.command
def drop(what: str, *, data: Data = DEFAULT_DATA) -> Exit:
    """Give something parked up for good; what waits behind it goes on."""
    return _settle(data, what, "drop")


@district.command(name="check")
def check_district(folder: str = DEFAULT_DISTRICT) -> Exit:
    """Check a district's files; all faults at once, each with file and key."""
    found = find_district(folder)
    known = load_district(found)
    kinds = Counter(department.kind for department in known.departments)
    out.print(
        f"[green]Good[/green]: {known.zh}, {len(known.towns)} towns, {len(known.villages)} villages, "
        f"{kinds['town_office'] + kinds['district_dispatched']} departments, {kinds['district_bureau']} bureaus, "
        f"{len(known.matters)} matters. "
        f"Configuration {configuration_hash(known)}"
    )
    if day := RuleBook(known).unannounced_from(SystemClock().now()):
        out.print(
            f"[yellow]calendar.toml[/yellow]: expected the holidays of {day.year}, found none: "
            f"what falls due from {day} on is provisional"
        )
    return Exit.DONE


@district.command(name="load")
def load_configuration(folder: str = DEFAULT_DISTRICT, *, data: Data = DEFAULT_DATA) -> Exit:
    """Put a district's configuration into force in a township's log; the same content again changes nothing."""
    known = load_district(find_district(folder))
    with House(place_of(data), SystemClock()) as house:
        house.remember("clock", "system")
        house.configure(known)
        out.print(f"In force: {known.zh}, configuration {house.ledger.rules.hash}")
    return Exit.DONE


@district.command(name="new")
def new_district(folder: Path, *, code: str, alias: str, zh: str, en: str) -> Exit:
    """Start another district from the sample: its own places, and departments, matters and limits to be changed.

    Parameters
    ----------
    code
        The district's statistics code, six digits.
    alias
        Two capital letters for receipts and topics.
    """
    if not re.fullmatch(r"[0-9]{6}", code):
        raise HujiaoError(f"--code: expected six digits, found {code!r}")
    if not re.fullmatch(r"[A-HJ-NP-TV-Z]{2}", alias):
        raise HujiaoError(f"--alias: expected two capital letters other than I, O and U, found {alias!r}")
    if folder.exists() and any(folder.iterdir()):
        raise HujiaoError(f"folder: expected a new or empty folder, found files in {folder}")
    for name in (zh, en):
        if not name.strip() or not name.isprintable() or any(character in name for character in '"\\'):
            raise HujiaoError(f"--zh, --en: expected a name of printable characters without quotes, found {name!r}")
    folder.mkdir(parents=True, exist_ok=True)
    sample = find_district(DEFAULT_DISTRICT)
    for name in _COPIED:
        shutil.copyfile(sample / name, folder / name)
    duties = (sample / "duties.toml").read_text(encoding="utf-8")  # of which some are at the district
    own = duties.replace(f'"{load_district(sample).code}"', f'"{code}"')
    (folder / "duties.toml").write_text(own, encoding="utf-8")
    (folder / "places.toml").write_text(_PLACES.format(code=code), encoding="utf-8")
    (folder / "senders.toml").write_text(_SENDERS.format(code=code), encoding="utf-8")
    (folder / "district.toml").write_text(_DISTRICT.format(code=code, alias=alias, zh=zh, en=en), encoding="utf-8")
    return check_district(str(folder))


def _says(house: House, row: parking.Parked) -> str:
    """The fact or request that is parked, as JSON."""
    if row.position is not None:
        return house.log.catalog.encode_json(house.log.after(row.position - 1, 1)[0].fact).decode()
    if row.request is not None:
        return msgspec.json.encode(house.log.catalog.decode_request(row.request)).decode()
    return "it could not be stored"


def _settle(data: str, what: str, how: Literal["release", "drop"]) -> Exit:
    with existing_house(data) as house:
        with house.log.exclusive() as cursor:
            known = parking.release(cursor, what) if how == "release" else parking.drop(cursor, what)
        if not known:
            raise HujiaoError(f"what: expected something parked, found nothing called {what!r}")
        drain(house)
    out.print("Released." if how == "release" else "Dropped.")
    return Exit.DONE


def _show_digests(digests: dict[str, str], as_json: bool) -> None:
    if as_json:
        print_json(digests)
    else:
        table("Digests", ("view", "sha256"), digests.items())


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
