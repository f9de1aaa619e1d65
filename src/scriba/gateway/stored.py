"""What a provider keeps and a request can name by its id: earlier answers, conversations, files, containers.

All organisations of a deployment use one account at a provider, and such an id works for whoever knows it. So a request
that names one could read what another organisation left there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.gateway.body import Body

__all__ = ["check_stored"]

# https://platform.openai.com/docs/api-reference/responses, https://platform.claude.com/docs/en/build-with-claude/files
_AT_THE_TOP: Final = frozenset({"previous_response_id", "conversation"})
_ANYWHERE: Final = frozenset({"container_id", "file_id", "file_ids", "skill_id", "vector_store_ids"})
_OBJECTS: Final = frozenset({"audio", "container"})
"""Objects that name what is kept if they have an `id`; a text in such a place is one."""

_REFERENCE: Final = frozenset({"id", "type"})
"""An item of the input that is nothing but these two stands for one that the provider keeps."""

_CALLERS_OWN: Final = frozenset({"parameters", "input_schema", "schema", "json_schema", "metadata"})
"""Objects with names that the caller chooses."""

_MARKS: Final = (b"_id", b'container"', b'"audio"', b'"id"', b"\\u00")
"""One of these stands in whatever names something; a name can be spelled as it is or with escapes."""


def check_stored(body: Body, provider: str) -> None:
    """Refuse a request that names what the provider keeps.

    :raises InvalidInput: naming the field, and the setting that lets it pass
    """
    name = body.find(_AT_THE_TOP)
    if not name and any(mark in body.raw for mark in _MARKS):
        name = next(_named(_read(body)), "")
    if name:
        raise InvalidInput(
            f"`{name}` names something that the provider keeps, and all organisations here share one account there.",
            param=name,
            hint="Send the content itself. If all organisations may see what the others keep there, the operator can "
            f"set shared_storage in [providers.{provider}].",
        )


class _Fields(list[tuple[str, Any]]):
    """An object as it was written: a name may come twice, and nobody knows which one a provider reads."""


def _read(body: Body) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(body.raw, object_pairs_hook=_Fields)
    except RecursionError:
        raise InvalidInput("The request body is nested too deeply.", param="body") from None


def _named(document: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Yield the names of all fields that name something."""
    waiting: list[Any] = [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, _Fields):
            for written, value in one:
                name = written.casefold()
                if value and (name in _ANYWHERE or (name in _OBJECTS and _has_id(value))):
                    yield written
                # What a tool was called with is an object of the caller's own names.
                elif name not in _CALLERS_OWN and not (name == "input" and isinstance(value, _Fields)):
                    waiting.append(value)
        elif isinstance(one, list):
            waiting += one
            yield from ("input" for item in one if isinstance(item, _Fields) and _is_reference(item))


def _has_id(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, _Fields) and any(name == "id" and one for name, one in value))


def _is_reference(item: _Fields) -> bool:
    names = {name for name, _ in item}
    kinds = {value for name, value in item if name == "type" and not isinstance(value, list)}
    return "item_reference" in kinds or ("id" in names and names <= _REFERENCE and kinds <= {None})
