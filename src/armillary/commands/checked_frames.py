"""Checks of archived frames, which the command `check` starts by a selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from armillary.commands.terminal import only_text, run

if TYPE_CHECKING:
    from armillary.context import Context
    from armillary.headers.rules.service import Place, Report


def check_frames(
    data: Path,
    where: Sequence[str],
    keywords: Sequence[str],
    site: Place | None,
    tolerances: Mapping[str, float],
) -> Report:
    """Check the frames of a selection, all of whose parts have to hold, and record what is found."""

    async def action(context: Context) -> Report:
        from armillary.archive.query.service import read_selection, terms_of
        from armillary.headers.findings import service

        today, summit = context.clock.now().date(), context.settings.archive.summit
        terms = terms_of(keywords=list(map(only_text, keywords)))
        for part in where:
            terms += read_selection(only_text(part), today=today, summit=summit).terms
        return await service.check_frames(context, terms, site=site, tolerances=tolerances)

    return run(data, action)
