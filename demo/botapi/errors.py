"""Refusals of the Bot API, worded as tdlib/telegram-bot-api words them (Client.cpp, fail_query_with_error)."""

from __future__ import annotations

from collections.abc import Mapping


class ApiError(Exception):
    """A refusal, which the bot receives as {"ok": false, …} with this HTTP status."""

    def __init__(self, code: int, description: str, parameters: Mapping[str, int] | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = dict(parameters or {})


class EmulatorBug(AssertionError):
    """The emulator was about to send something that the Bot API's schema does not allow."""


def _decapitalize(message: str) -> str:
    """Return the message with a small first letter, unless it is an error code such as BUTTON_DATA_INVALID."""
    if len(message) >= 2 and (message[1] == "_" or "A" <= message[1] <= "Z"):
        return message
    return message[:1].lower() + message[1:]


def bad_request(message: str) -> ApiError:
    """Return a refusal with 400, with the real server's prefix and letter case."""
    return ApiError(400, f"Bad Request: {_decapitalize(message)}")


def forbidden(message: str) -> ApiError:
    """Return a refusal with 403, with the real server's prefix and letter case."""
    return ApiError(403, f"Forbidden: {_decapitalize(message)}")


def too_many_requests(retry_after: int) -> ApiError:
    """Return a refusal with 429 and the seconds to wait, in the text and as a parameter."""
    return ApiError(429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after})


def query_expired() -> ApiError:
    """Return the refusal of an answer to a callback query that is unknown, answered or too old."""
    return bad_request("query is too old and response timeout expired or query ID is invalid")


def not_modified() -> ApiError:
    """Return the refusal of an edit that changes nothing."""
    return bad_request(
        "message is not modified: specified new message content and reply markup are exactly the same "
        "as a current content and reply markup of the message"
    )
