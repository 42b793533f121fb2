"""What migrations are made of: scripts of plain statements, and grants to the roles of the program."""

from __future__ import annotations

from alembic import op

WORKER, WEB = "armillary_worker", "armillary_web"


def execute(script: str) -> None:
    """Run the statements of a script, which end with a semicolon at the end of a line."""
    for statement in filter(str.strip, script.split(";\n")):
        op.execute(statement)


def grant(role: str, privileges: str, *tables: str) -> None:
    """Allow a role to do something with tables; ``privileges`` as SQL lists them."""
    op.execute(f"GRANT {privileges} ON {', '.join(tables)} TO {role}")
