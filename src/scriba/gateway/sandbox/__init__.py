"""A provider inside Scriba, to try it without an account: it repeats what it was told and says what it is.

It stands where a provider stands, behind the same decision and the same entry, and speaks both dialects. A token is a
word here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from scriba.gateway.answer import Problem
from scriba.gateway.anthropic import COUNT_TOKENS, MESSAGES
from scriba.gateway.configured import SANDBOX_MODEL
from scriba.gateway.openai import CHAT_COMPLETIONS, EMBEDDINGS
from scriba.gateway.responses import RESPONSES
from scriba.gateway.sandbox import chat, embeddings, messages, responses
from scriba.gateway.sandbox.echo import FINGERPRINT, PREFACE, Refusal
from scriba.gateway.sandbox.reply import ReadyReply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scriba.gateway.upstream import Call, Reply

__all__ = ["FINGERPRINT", "PREFACE", "Sandbox"]

_NAMES: Final = frozenset({SANDBOX_MODEL, SANDBOX_MODEL.partition("/")[2]})

_ANSWERS: Final[Mapping[str, Callable[[bytes], Reply]]] = {
    CHAT_COMPLETIONS.path: chat.answer,
    EMBEDDINGS.path: embeddings.answer,
    RESPONSES.path: responses.answer,
    MESSAGES.path: messages.answer,
    COUNT_TOKENS.path: messages.count,
}


class _Asked(msgspec.Struct):
    model: str


class Sandbox:
    """See `scriba.gateway.upstream.Upstream`."""

    async def call(self, call: Call) -> Reply:
        """Answer at once."""
        try:
            if msgspec.json.decode(call.body, type=_Asked).model not in _NAMES:
                return _refusal(call, 404, f"The sandbox has one model, {SANDBOX_MODEL}.", "model_not_found")
            return _ANSWERS[call.route.path](call.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Refusal) as error:
            return _refusal(call, 400, f"The sandbox cannot read this: {error}", "invalid_value")


def _refusal(call: Call, status: int, message: str, code: str) -> Reply:
    problem = Problem(status=status, code=code, message=message, request_id="req_sandbox")
    return ReadyReply.document(call.route.encode_problem(problem), status)
