"""`hujiao topology`: what stands at the brokers, planned, applied and checked against the district's configuration."""

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

import events.district
from services.cli.houses import DEFAULT_DISTRICT, District, Json
from services.cli.screen import Exit, err, out, print_json, table
from services.messaging.topology import DEAD, SVC_TERMINALS, UNROUTED, VHOST, Senders, Topology, derive
from services.platforms.service import SERVICE as PLATFORMS
from services.provisioning.drift import Change, difference
from services.provisioning.management import Management
from services.provisioning.mosquitto import access_file, may, password_file
from services.provisioning.secret import ensure_secret, read_secret
from services.runtime.district import find_district, load_district
from services.runtime.errors import HujiaoError

ManagementUrl = Annotated[
    str,
    Parameter(
        name="--management",
        env_var="HUJIAO_MANAGEMENT_URL",
        help="RabbitMQ's management interface and an administrator: http://user:password@host:15672.",
    ),
]
Vhost = Annotated[str, Parameter(name="--vhost", help="The vhost in which everything stands.")]
_SECRET = Parameter(
    name="--secret-file",
    env_var="HUJIAO_SECRET_FILE",
    help="The file of 32 random bytes from which every user's password is derived.",
)
SecretFile = Annotated[Path, _SECRET]
PerhapsSecretFile = Annotated[Path | None, _SECRET]

SHOWN = 60
WATCHED = (DEAD, UNROUTED)
"""Queues in which nothing should be."""

_COLOURS = {"create": "green", "change": "yellow", "replace": "yellow", "remove": "red", "leave": "magenta"}

topology = App(name="topology", help="What stands at the brokers, derived from the district's files.")


@topology.command
def plan(
    *,
    management: ManagementUrl,
    district: District = DEFAULT_DISTRICT,
    secret_file: PerhapsSecretFile = None,
    vhost: Vhost = VHOST,
    as_json: Json = False,
) -> Exit:
    """Show what `apply` would create, change and remove. Changes nothing.

    Without a secret file the users' passwords are not looked at.
    """
    wanted = wanted_topology(district)
    with Management(management, vhost) as broker:
        changes = difference(wanted, broker.read(), vhost, _passwords(secret_file))
    if as_json:
        print_json([change.as_data() for change in changes])
    elif changes:
        _show("To be done", changes)
    else:
        out.print("Nothing to do: the broker is what the district's files want.")
    return Exit.DONE


@topology.command
def apply(
    *,
    management: ManagementUrl,
    secret_file: SecretFile,
    district: District = DEFAULT_DISTRICT,
    vhost: Vhost = VHOST,
    as_json: Json = False,
) -> Exit:
    """Make the broker what the district's files want; once more changes nothing.

    Removed is only what carries our names and is wanted no more; a queue with messages in it is left and said.
    What others put there is never touched. A missing secret file is created.
    """
    wanted = wanted_topology(district)
    with Management(management, vhost) as broker:
        found = broker.read()
        secret = ensure_secret(secret_file)
        changes = difference(wanted, found, vhost, secret.password)
        broker.apply(changes, secret)
        left = difference(wanted, broker.read(), vhost, secret.password)
    stays = {(change.what, change.name) for change in left}
    made = [change for change in changes if (change.what, change.name) not in stays]
    if as_json:
        print_json({"made": [change.as_data() for change in made], "left": [change.as_data() for change in left]})
    elif not made and not left:
        out.print("Nothing to do: the broker is what the district's files want.")
    else:
        for title, these in (("Done", made), ("Left as it is", left)):
            if these:
                _show(title, these)
    return Exit.PARTLY if left else Exit.DONE


@topology.command
def check(
    *,
    management: ManagementUrl,
    district: District = DEFAULT_DISTRICT,
    secret_file: PerhapsSecretFile = None,
    vhost: Vhost = VHOST,
    as_json: Json = False,
) -> Exit:
    """Say whether the broker is what the district's files want, and what lies in the queues of lost messages.

    Ends with 5 when something differs, and when something is lost.
    """
    wanted = wanted_topology(district)
    with Management(management, vhost) as broker:
        found = broker.read()
    changes = difference(wanted, found, vhost, _passwords(secret_file))
    lost = {queue: found.messages.get(queue) or 0 for queue in WATCHED}
    if as_json:
        print_json({"differences": [change.as_data() for change in changes], "lost": lost})
    else:
        if changes:
            _show("Differs", changes)
        else:
            out.print("[green]Good[/green]: the broker is what the district's files want.")
        for queue, messages in lost.items():
            out.print(f"messages in {queue}: {messages:,}", style="red" if messages else "dim")
    return Exit.FAULT_FOUND if changes or any(lost.values()) else Exit.DONE


@topology.command
def credentials(
    name: str, *, secret_file: SecretFile, district: District = DEFAULT_DISTRICT, as_json: Json = False
) -> Exit:
    """Show how a user logs in and what is its own: hotline, department, terminal or service.

    Parameters
    ----------
    name
        The user, such as hotline-12345, dept.ld.d07, app-ld or svc.intake.
    """
    known = load_district(find_district(district))
    own = _own(known, name)
    shown = {"user": name, "password": read_secret(secret_file).password(name), **own}
    if as_json:
        print_json(shown)
    else:
        table(f"Credentials of {name}", ("", ""), ((key, _line(value)) for key, value in shown.items()))
    return Exit.DONE


@topology.command
def mosquitto(folder: Path, *, secret_file: SecretFile, district: District = DEFAULT_DISTRICT) -> Exit:
    """Write Mosquitto's `passwd` and `acl` for all terminals and the service that hears them.

    Both files are for their owner alone: give them to the user that Mosquitto runs as, and have it read them again
    (SIGHUP). The same files and secret always give the same content.
    """
    known, secret = load_district(find_district(district)), read_secret(secret_file)
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in (("passwd", password_file(known, secret)), ("acl", access_file(known))):
        write_private(folder / file, content)
    out.print(f"Wrote passwd and acl for {len(known.terminals)} terminals and {SVC_TERMINALS} to {folder}.")
    return Exit.DONE


def wanted_topology(district: str) -> Topology:
    """What a district wants at the broker."""
    return derive(load_district(find_district(district)), PLATFORMS.reactions)


def write_private(path: Path, content: str) -> None:
    """Replace a file at once by one that only its owner may read."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink()
            raise


def _passwords(path: Path | None) -> Callable[[str], str] | None:
    if path is None or not path.exists():
        err.print("Passwords are not looked at: there is no secret file. `apply` creates it and sets all.", style="dim")
        return None
    return read_secret(path).password


def _own(district: events.district.District, name: str) -> dict[str, Any]:
    wanted, terminals = derive(district, PLATFORMS.reactions), may(district)
    if name in terminals:
        return {
            "broker": "mosquitto",
            "writes": [topic for access, topic in terminals[name] if access == "write"],
            "reads": [topic for access, topic in terminals[name] if access == "read"],
        }
    if name not in {user.name for user in wanted.users}:
        raise HujiaoError(f"name: expected a hotline, department, terminal or service of {district.zh}, found {name!r}")
    writes, reads = wanted.written_by(name), wanted.read_by(name)
    if Senders(district).who(name) is None:
        return {"broker": "rabbitmq", "exchanges": writes, "queues": reads}
    return {"broker": "rabbitmq", "exchange": writes[0], "queue": reads[0]}


def _show(title: str, changes: Sequence[Change]) -> None:
    counts = Counter((change.how, change.what) for change in changes)
    table(title, ("what to do", "object", "number"), ((how, what, number) for (how, what), number in counts.items()))
    for change in changes[:SHOWN]:
        out.print(change.words, style=_COLOURS[change.how], markup=False)
    if len(changes) > SHOWN:
        out.print(f"and {len(changes) - SHOWN:,} more; --json shows all", style="dim")


def _line(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)
