"""Tools that a request offers to the model, as far as one of them would bring in another model or another server.

A function that the caller runs itself is the caller's own affair. What the provider runs is judged with the provider,
unless the caller names another model for it, or a server of anybody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scriba.gateway.body import Body

__all__ = ["check_tools"]

_NAMES = ("type", "model", "tools")
_MAX_DEPTH = 4


def check_tools(body: Body, refused: Mapping[str, str], at: str = "tools", *, depth: int = 0) -> None:
    """Look at each tool in `tools`, also at those that are grouped in another one.

    :param refused: how the type of a tool that is not passed on begins, and what it would do
    :param at: where the tools stand, for the error
    :raises InvalidInput: naming the place
    """
    if depth > _MAX_DEPTH:
        raise InvalidInput(f"`{at}` is nested too deeply.", param=at)
    for tool in body.objects("tools", _NAMES, at):
        kind = tool.text("type").lower()
        for beginning, effect in refused.items():
            if kind.startswith(beginning):
                raise InvalidInput(f"`{at}` holds a tool of type `{beginning}`, which {effect}", param=at)
        if tool.is_set("model"):
            raise InvalidInput(
                f"`{at}` holds a tool with a `model` of its own, which the policy does not judge.",
                param=at,
                hint="Leave that tool out, or ask that model in a request of its own.",
            )
        if tool.is_set("tools"):
            check_tools(tool, refused, f"{at}.tools", depth=depth + 1)
