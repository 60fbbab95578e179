"""Who may do what in PostgreSQL: a role for each part of the data, and one for analysts, who may only read views."""

import hmac
from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac, sha256
from typing import Any

import psycopg
from psycopg import sql

from services.provisioning.secret import Secret
from services.runtime.errors import HujiaoError

LOG, VIEWS, VAULT, ANALYST = "hujiao_log", "hujiao_views", "hujiao_vault", "hujiao_analyst"
OWNERS = {"log": LOG, "views": VIEWS, "analysis": VIEWS, "vault": VAULT}
"""Each schema and the role that it belongs to."""

ANALYSTS_LIMITS = {"statement_timeout": "10min", "idle_in_transaction_session_timeout": "5min"}
"""A question left open keeps a new build of a view from taking over."""

ANALYSTS_CONNECTIONS = 20

_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('hujiao: roles'))"
_ROLES = (LOG, VIEWS, VAULT, ANALYST)
_OWNED_BY_OTHERS = """
    SELECT format('%%I.%%I', nspname, relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = %s AND relkind IN ('r', 'p', 'v', 'm') AND relowner <> %s::regrole ORDER BY relkind, relname"""
_GRANTED = """
    WITH granted (what, grantee) AS (
        SELECT format('SCHEMA %%I', nspname), grantee FROM pg_namespace, aclexplode(nspacl) WHERE nspname = %(schema)s
        UNION SELECT format('TABLE %%I.%%I', nspname, relname), grantee
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace, aclexplode(relacl)
        WHERE nspname = %(schema)s)
    SELECT what, coalesce(quote_ident(rolname), 'PUBLIC') FROM granted LEFT JOIN pg_roles ON pg_roles.oid = grantee
    WHERE grantee = 0 OR rolname = ANY(%(others)s) ORDER BY what"""
_LOCKS = """
    SELECT pg_proc.oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
    AND proname ~ '^pg_(try_)?advisory' AND has_function_privilege(%s, pg_proc.oid, 'EXECUTE')"""


def apply(admin_url: str, secret: Secret) -> None:
    """Make roles and schemas what they should be; once more changes nothing. Passwords are derived from the secret.

    Nobody gets rights to another's schema: the log's role cannot open words, the vault's cannot read who reported
    what, and analysts see the views in ``analysis`` alone. What stands in a schema already, such as a township that
    had no roles so far, goes over to its owner.

    Raises:
        HujiaoError: when the database cannot be reached or ``admin_url``'s user may not do this.
    """
    try:
        with psycopg.connect(admin_url, connect_timeout=10) as connection:
            connection.execute(_ONE_AT_A_TIME)
            for role in _ROLES:
                _ensure_role(connection, role, secret.password(role))
            database = sql.Identifier(connection.info.dbname)
            connection.execute(sql.SQL("REVOKE CREATE, TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))
            connection.execute(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
            for schema, owner in OWNERS.items():
                _ensure_schema(connection, schema, owner)
            # views as of the past stand in schemas of their own
            connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, sql.Identifier(VIEWS)))
            _limit_analysts(connection)
    except psycopg.Error as error:
        raise HujiaoError(f"--admin: expected an administrator of PostgreSQL, found: {str(error).strip()}") from error


def _ensure_role(connection: "psycopg.Connection[Any]", role: str, password: str) -> None:
    known = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (role,)).fetchone()
    name = sql.Identifier(role)
    rights = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
    connection.execute(sql.SQL("{} ROLE {} {}").format(sql.SQL("ALTER" if known else "CREATE"), name, rights))
    if not known or not _is_verifier_of(password, known[0] or ""):
        # made here, so that the password itself is in no statement that a server might log
        verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(verifier)))
    groups = "SELECT rolname FROM pg_auth_members JOIN pg_roles ON oid = roleid WHERE member = %s::regrole"
    for (group,) in connection.execute(groups, (role,)).fetchall():
        connection.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(group), name))


def _is_verifier_of(password: str, verifier: str) -> bool:
    """Whether PostgreSQL would take this password by what it keeps of it: RFC 5802 with SHA-256."""
    try:
        method, work, keys = verifier.split("$")
        rounds, salt = work.split(":")
        salted = pbkdf2_hmac("sha256", password.encode(), b64decode(salt), int(rounds))
    except ValueError:
        return False
    stored = b64encode(sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()).decode()
    return method == "SCRAM-SHA-256" and hmac.compare_digest(keys.partition(":")[0], stored)


def _ensure_schema(connection: "psycopg.Connection[Any]", schema: str, owner: str) -> None:
    names = {"schema": sql.Identifier(schema), "owner": sql.Identifier(owner)}
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}").format(**names))
    connection.execute(sql.SQL("ALTER SCHEMA {schema} OWNER TO {owner}").format(**names))
    for (table,) in connection.execute(_OWNED_BY_OTHERS, (schema, owner)).fetchall():
        connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {owner}").format(sql.SQL(table), **names))
    others = [role for role in _ROLES if role != owner and (role, schema) != (ANALYST, "analysis")]
    for what, role in connection.execute(_GRANTED, {"schema": schema, "others": others}).fetchall():
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.SQL(what), sql.SQL(role)))


def _limit_analysts(connection: "psycopg.Connection[Any]") -> None:
    """Their questions shall hold nobody up: neither for long, nor by taking the locks by which services take turns."""
    analyst = sql.Identifier(ANALYST)
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA analysis TO {}").format(analyst))
    connection.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(analyst, sql.Literal(ANALYSTS_CONNECTIONS)))
    for setting, limit in ANALYSTS_LIMITS.items():
        limited = sql.SQL("ALTER ROLE {} SET {} = {}")
        connection.execute(limited.format(analyst, sql.Identifier(setting), sql.Literal(limit)))
    services = sql.SQL(", ").join(map(sql.Identifier, (LOG, VIEWS, VAULT)))
    for (function,) in connection.execute(_LOCKS, (ANALYST,)).fetchall():
        lock = sql.SQL(function)
        connection.execute(sql.SQL("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC").format(lock))
        connection.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(lock, services))
