"""The command `armillary`: every command of every noun."""

from __future__ import annotations

import typer

from armillary.commands import access, archive, change_sets, edits, exports, processes, roots, synthetic
from armillary.commands.backup import backup, restore
from armillary.commands.fixhead import fixhead
from armillary.commands.status import status

app = typer.Typer(
    name="armillary",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="From telescope telemetry to a living FITS archive, in one program.",
)
app.command("up")(processes.up)
app.command("serve")(processes.serve)
app.command("worker")(processes.worker)
app.command("status")(status)
app.command("backup")(backup)
app.command("restore")(restore)
app.add_typer(processes.db, name="db")
app.command("ingest")(archive.ingest)
app.command("search")(archive.search_command)
app.command("show")(archive.show)
app.command("verify")(archive.verify)
app.command("edit")(edits.edit)
app.command("fixhead")(fixhead)
app.command("history")(edits.history)
app.command("diff")(edits.diff_command)
app.command("revert")(edits.revert)
app.add_typer(roots.app, name="root")
app.add_typer(access.app, name="token")
app.add_typer(change_sets.app, name="changeset")
app.add_typer(exports.app, name="export")
app.add_typer(synthetic.app, name="demo")


def main() -> None:
    """Run the command line."""
    app()
