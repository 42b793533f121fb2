"""What readers of a feed are refused."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, BadRequest, NotFound


class BadFeedCursor(BadRequest):
    """The cursor is none that the feed of changes gave; use one that it gave, 'now', or none."""

    code = "bad_change_cursor"


class FeedCursorGone(ArmillaryError):
    """The feed knows no such entry, or forgot others behind it: ask `after=now`, read what it is about, go on."""

    code, status = "change_cursor_gone", HTTPStatus.GONE


class UnknownConsumer(NotFound):
    """No consumer of that name is registered for the topic; register it first."""

    code = "feed_consumer_unknown"
