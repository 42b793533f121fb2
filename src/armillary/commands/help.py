"""Help as plain text: the drawn one takes longer to load than all the rest of a short command."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class PlainGroup(TyperGroup):
    """A group whose help shows what each command does in full, in as many lines as that takes."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names of the commands and the first paragraph of the help of each."""
        known = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(1000)) for name, command in known if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
