"""What readers of a feed are refused."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, BadRequest, NotFound


class BadFeedCursor(BadRequest):
    """Invalid cursor; use one that the feed returned, or `now`, or leave it out."""

    code = "bad_change_cursor"


class FeedCursorGone(ArmillaryError):
    """The cursor has expired or is of another database: ask with `after=now`, read the present state, go on."""

    code, status = "change_cursor_gone", HTTPStatus.GONE


class UnknownConsumer(NotFound):
    """No consumer of that name is registered for the topic; register it first."""

    code = "feed_consumer_unknown"
