"""The database role as which each command connects (docs/operations.md, Roles)."""

import click

from models.base.grants import DatabaseRole

_APPLICATION, _OPERATOR, _OWNER = DatabaseRole.APPLICATION, DatabaseRole.OPERATOR, DatabaseRole.OWNER

# By command. None for commands that do not open the configured database.
NEEDS: dict[str, DatabaseRole | None] = {
    "account disable": _OPERATOR,
    "account enable": _OPERATOR,
    "account links": _OPERATOR,
    "account list": _OPERATOR,
    "account reset-password": _OPERATOR,
    "account unlink": _OPERATOR,
    "audit head": _OPERATOR,
    "audit keep-words": _OPERATOR,
    "audit list": _OPERATOR,
    "audit show": _OPERATOR,
    "audit verify": _OPERATOR,
    "broadcast": _OPERATOR,
    "db backup": _OPERATOR,
    "db check": _OWNER,
    "db restore": _OWNER,
    "db upgrade": _OWNER,
    "demo": None,
    "doctor": _APPLICATION,
    "export certificate": _OPERATOR,
    "export certifications": _OPERATOR,
    "export organizations": _OPERATOR,
    "export progress": _OPERATOR,
    "import accounts": _OPERATOR,
    "import organizations": _OPERATOR,
    "import personnel": _OPERATOR,
    "invite": _OPERATOR,
    # They write seals in tables to which the operator role has no write access.
    "keys rotate": _OWNER,
    "keys seal": _OWNER,
    "officer forget": _OPERATOR,
    "organization close": _OPERATOR,
    "organization rename": _OPERATOR,
    "organization succeed": _OPERATOR,
    "outbox list": _OPERATOR,
    "outbox release": _OPERATOR,
    "outbox retry": _OPERATOR,
    "petition decide": _OPERATOR,
    "petitions": _OPERATOR,
    "reopen": _OPERATOR,
    "round close": _OPERATOR,
    "round list": _OPERATOR,
    "round open": _OPERATOR,
    "round reopen": _OPERATOR,
    "run": _APPLICATION,
    "seal accept": _OWNER,
    "seal check": _OPERATOR,
    "status": _OPERATOR,
    "webhook delete": None,
    "webhook info": None,
    "webhook set": None,
}


def role_of(context: click.Context) -> DatabaseRole:
    """Return the database role of the running command. Raises KeyError for a command missing in NEEDS."""
    words: list[str] = []
    current: click.Context | None = context
    # The outermost context is the program itself.
    while current is not None and current.parent is not None:
        words.insert(0, current.info_name or "")
        current = current.parent
    role = NEEDS[" ".join(words)]
    assert role is not None  # noqa: S101 - what opens no database asks for none
    return role
