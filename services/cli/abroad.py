"""`replay --via`: report lines handed in at a township that runs elsewhere, over its brokers."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit, urlunsplit

from cyclopts import Parameter

from events.edge import ReportLine
from services.cli.screen import Exit, err, print_json, table
from services.intake.line import BadLine, check_line, read_line
from services.provisioning.secret import Secret, read_secret
from services.rules.book import RuleBook
from services.runtime.clock import SystemClock
from services.runtime.errors import HujiaoError
from services.simulation.correspondents import Addresses, Books, assigned, correspond

SHOWN = 20


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Abroad:
    """Where a township's brokers are, and over which ways to hand reports in."""

    via: Annotated[str, Parameter(help="Ways, each in turn: amqp, mqtt5, mqtt311, with commas between.")] = ""
    broker: Annotated[str, Parameter(env_var="HUJIAO_BROKER_URL", help="amqp://host:port/vhost; users are added.")] = ""
    mqtt: Annotated[str, Parameter(env_var="HUJIAO_MQTT_URL", help="mqtt://host:port; users are added.")] = ""
    secret_file: Annotated[
        Path | None,
        Parameter(env_var="HUJIAO_SECRET_FILE", help="The secret from which the users' passwords are derived."),
    ] = None


def replay_abroad(files: list[Path], rules: RuleBook, abroad: Abroad, receipts: Path | None, as_json: bool) -> Exit:
    """Hand in the lines and show the books of the senders' side."""
    if abroad.secret_file is None:
        raise HujiaoError("--secret-file: expected the township's secret, to log in as its senders, found none")
    secret = read_secret(abroad.secret_file)
    refused: list[str] = []
    lines = list(_lines(files, rules, refused))
    reports = assigned(lines, [way.strip() for way in abroad.via.split(",")], rules)
    addresses = Addresses(
        lambda user: _for_user(abroad.broker, user, secret), lambda user: _for_user(abroad.mqtt, user, secret)
    )
    books, began = Books(), time.perf_counter()
    asyncio.run(correspond(reports, rules, addresses, SystemClock(), books))
    if receipts is not None:
        written = (f"{key}\t{receipt}\n" for key, receipt in sorted(books.receipts.items()))
        receipts.write_text("".join(written), encoding="utf-8")
    refused += [f"{key}: {reason}" for key, reason in books.refused.items()]
    refused += [f"{wrong.listener}: {wrong.what}" for wrong in books.wrong]
    for reason in refused[:SHOWN]:
        err.print(reason, style="red", markup=False)
    figures = {
        "reports": len(reports),
        "receipts": len(books.receipts),
        "refused": len(refused),
        "legs": len(books.legs),
        "acknowledged": sum(decided.status == "accepted" for act, decided in books.decided.items() if "/ack" in act),
        "heard_again": books.heard["repeated"],
        "seconds": round(time.perf_counter() - began, 3),
    }
    if as_json:
        print_json(figures)
    else:
        table("Replay over the brokers", ("figure", "value"), figures.items())
    return Exit.PARTLY if refused else Exit.DONE


def _lines(files: list[Path], rules: RuleBook, refused: list[str]) -> Iterator[ReportLine]:
    now = SystemClock().now()
    for file in files:
        for number, raw in enumerate(file.read_bytes().splitlines(), start=1):
            if not raw.strip():
                continue
            try:
                line = read_line(raw)
                check_line(line, rules, now)
            except BadLine as error:
                refused.append(f"{file.name}:{number}: {error}")
            else:
                yield line


def _for_user(urls: str, user: str, secret: Secret) -> str:
    """The address of a broker, of each of its nodes, with the user's name and password in it."""
    if not urls:
        raise HujiaoError("--broker, --mqtt: expected where the township's brokers are, found nothing")
    login = f"{quote(user, safe='')}:{quote(secret.password(user), safe='')}"
    parts = [urlsplit(url) for url in urls.split()]
    return " ".join(urlunsplit(part._replace(netloc=f"{login}@{part.netloc.rsplit('@', 1)[-1]}")) for part in parts)
