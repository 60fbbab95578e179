"""`store`: the roles and schemas of PostgreSQL."""

from typing import Annotated

from cyclopts import App, Parameter
from psycopg.conninfo import conninfo_to_dict

from services.cli.houses import Json
from services.cli.screen import Exit, out, print_json, table
from services.cli.topology import SecretFile
from services.provisioning import roles
from services.provisioning.secret import ensure_secret, read_secret

store = App(name="store", help="Roles and schemas of PostgreSQL: log, views, vault, and analysts.")

Admin = Annotated[
    str, Parameter(name="--admin", env_var="HUJIAO_STORE_ADMIN_URL", help="postgresql://admin:password@host:port/db")
]


@store.command(name="apply")
def apply(*, admin: Admin, secret_file: SecretFile) -> Exit:
    """Make roles and schemas what they should be; once more changes nothing.

    Each role's password is derived from the secret, which is created if it is not there.
    """
    roles.apply(admin, ensure_secret(secret_file))
    out.print(f"Roles and schemas are as they should be: {', '.join(sorted(roles.OWNERS))}.")
    return Exit.DONE


@store.command(name="credentials")
def credentials(*, admin: Admin, secret_file: SecretFile, as_json: Json = False) -> Exit:
    """Show the URL of each role."""
    secret = read_secret(secret_file)
    where = conninfo_to_dict(admin)
    urls = {
        role: f"postgresql://{role}:{secret.password(role)}@{where['host']}:{where.get('port', 5432)}/{where['dbname']}"
        for role in (roles.LOG, roles.VIEWS, roles.VAULT, roles.ANALYST)
    }
    if as_json:
        print_json(urls)
    else:
        table("Roles", ("role", "url"), urls.items())
    return Exit.DONE
