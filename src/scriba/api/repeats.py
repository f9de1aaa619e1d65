"""`Idempotency-Key`: what makes a repeated POST harmless."""

from hashlib import sha256
from typing import Annotated, TypeAlias

from fastapi import Depends, Request, Response

from scriba.api.access import Caller, services_of
from scriba.api.body import RawJson
from scriba.auth import Principal
from scriba.errors import InvalidInput
from scriba.storage.idempotency import HEADER, PURPOSE, Repeat, check_name

__all__ = ["REPLAYED", "Repeated", "mark_replayed", "repeat_of"]

REPLAYED = "Idempotency-Replayed"
"""Header of an answer that was given before."""


def repeat_of(request: Request, caller: Principal, body: bytes) -> Repeat | None:
    """Return what a request is told apart by; None if it has no `Idempotency-Key`.

    :raises InvalidInput: the header is not one that can be kept
    """
    names = request.headers.getlist(HEADER)
    if not names:
        return None
    if len(names) > 1:
        raise InvalidInput(f"{HEADER} can be given once; {len(names)} were given.", param=HEADER)
    kind = request.headers.get("content-type", "")
    head = f"{request.method}\n{request.url.path}\n{request.url.query}\n{kind}\n"
    return Repeat(
        key_id=caller.key_id,
        name=check_name(names[0]),
        content_sha256=sha256(head.encode() + body).digest(),
        secret=services_of(request).store.keyring.shared_key(PURPOSE),
    )


def _repeat_of_json(request: Request, caller: Caller, raw: RawJson) -> Repeat | None:
    return repeat_of(request, caller, raw)


Repeated: TypeAlias = Annotated[Repeat | None, Depends(_repeat_of_json)]
"""What a request with a JSON body is told apart by, for routes that create something."""


def mark_replayed(response: Response, repeat: Repeat | None) -> Response:
    """Say in the answer if it is that of an earlier request."""
    if repeat is not None and repeat.replayed:
        response.headers[REPLAYED] = "true"
    return response
