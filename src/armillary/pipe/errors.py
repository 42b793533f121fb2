"""What goes wrong with queues, claims and machines."""

from __future__ import annotations

from http import HTTPStatus

from armillary.errors import ArmillaryError, BadRequest, Conflict, NotFound


class UnknownQueue(NotFound):
    """Unknown queue; create it first, or list the existing queues."""

    code = "unknown_queue"


class QueueExists(Conflict):
    """A queue of that name exists."""

    code = "queue_exists"


class BadQueueName(BadRequest):
    """The name of a queue is 1 to 500 characters that can be shown."""

    code = "bad_queue_name"


class BadPayload(BadRequest):
    """The payload is not valid JSON, or cannot be stored."""

    code = "bad_payload"


class BadOption(BadRequest):
    """Invalid value for an option of the queue."""

    code = "bad_queue_option"


class ClaimLost(Conflict):
    """The claim has lapsed, was given back or is superseded; the item is not yours any more."""

    code = "claim_lost"


class UnknownDeadLetter(NotFound):
    """The queue has no dead letter with that id."""

    code = "unknown_dead_letter"


class UnknownMachine(NotFound):
    """No PIPE machine of that name has told its status."""

    code = "unknown_machine"


class PayloadTooLarge(ArmillaryError):
    """The item is larger than pipe.max_payload allows; put the data elsewhere and send its address."""

    code, status = "payload_too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE
