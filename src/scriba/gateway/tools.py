"""Tools that a request offers to the model, as far as one of them would bring in another model or another server.

A function that the caller runs itself is the caller's own affair. What the provider runs is judged with the provider,
unless the caller names another model for it, or a server of anybody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scriba.gateway.body import Body

__all__ = ["TOOL_NAMES", "check_tool", "check_tools"]

TOOL_NAMES: Final = ("type", "model", "tools")
"""Fields of a tool that are looked at."""

_MAX_DEPTH: Final = 4


def check_tools(body: Body, refused: Mapping[str, str], at: str = "tools", *, depth: int = 0) -> None:
    """Look at each tool in `tools`, also at those that are grouped in another one.

    :param refused: how the type of a tool that is not passed on begins, and what it would do
    :param at: where the tools stand, for the error
    :raises InvalidInput: naming the place
    """
    if depth > _MAX_DEPTH:
        raise InvalidInput(f"`{at}` is nested too deeply.", param=at)
    for tool in body.objects("tools", TOOL_NAMES, at):
        check_tool(tool, refused, at)
        if tool.is_set("tools"):
            check_tools(tool, refused, f"{at}.tools", depth=depth + 1)


def check_tool(tool: Body, refused: Mapping[str, str], at: str) -> None:
    """Look at one tool by itself; see `check_tools`."""
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
