"""Who may do what in PostgreSQL: a role for each part of the data, and one for analysts, who may only read views."""

import psycopg
from psycopg import sql

from services.runtime.errors import HujiaoError
from services.runtime.secret import Secret

LOG, VIEWS, VAULT, ANALYST = "hujiao_log", "hujiao_views", "hujiao_vault", "hujiao_analyst"
OWNERS = {"log": LOG, "views": VIEWS, "analysis": VIEWS, "vault": VAULT}
"""Each schema and the role that it belongs to."""

ANALYSTS_LIMITS = {"statement_timeout": "10min", "idle_in_transaction_session_timeout": "5min"}
"""A question left open keeps a new build of a view from taking over."""

_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('hujiao: roles'))"


def apply(admin_url: str, secret: Secret) -> None:
    """Make roles and schemas what they should be; once more changes nothing. Passwords are derived from the secret.

    Nobody gets rights to another's schema: the log's role cannot open words, the vault's cannot read who reported
    what, and analysts see the views in ``analysis`` alone.

    Raises:
        HujiaoError: when the database cannot be reached or ``admin_url``'s user may not do this.
    """
    try:
        with psycopg.connect(admin_url, connect_timeout=10) as connection:
            connection.execute(_ONE_AT_A_TIME)
            for role in (LOG, VIEWS, VAULT, ANALYST):
                _ensure_role(connection, role, secret.password(role))
            database = sql.Identifier(connection.info.dbname)
            connection.execute(sql.SQL("REVOKE CREATE, TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))
            connection.execute(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
            for schema, owner in OWNERS.items():
                names = sql.Identifier(schema), sql.Identifier(owner)
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(*names))
                connection.execute(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(*names))
            # views as of the past stand in schemas of their own
            connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, sql.Identifier(VIEWS)))
            for setting, limit in ANALYSTS_LIMITS.items():
                limited = sql.SQL("ALTER ROLE {} SET {} = {}")
                words = (sql.Identifier(ANALYST), sql.Identifier(setting), sql.Literal(limit))
                connection.execute(limited.format(*words))
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA analysis TO {}").format(sql.Identifier(ANALYST)))
    except psycopg.Error as error:
        raise HujiaoError(f"--admin: expected an administrator of PostgreSQL, found: {str(error).strip()}") from error


def _ensure_role(connection: "psycopg.Connection[object]", role: str, password: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = sql.SQL("ALTER" if known else "CREATE")
    login = sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}")
    connection.execute(login.format(verb, sql.Identifier(role), sql.Literal(password)))
