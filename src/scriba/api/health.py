"""`/livez`: whether the process answers at all. Needs no key and looks at nothing."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from scriba.api.described import answers
from scriba.api.query import NoQuery

__all__ = ["router"]

router = APIRouter()


@router.get("/livez", response_class=PlainTextResponse, responses=answers(None, "It does.", also=["text/plain"]))
async def live(_query: NoQuery) -> str:
    """Say that the process is there."""
    return "ok"
