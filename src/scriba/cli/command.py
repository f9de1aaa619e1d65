"""What is our own about commands: an example in every help text, and groups that load their members late."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import NoSuchCommand

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Command", "Group", "LazyGroup"]


class _Example(click.Command):
    """Shows `epilog` as an example, just as it is written."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's
        """Write the example."""
        if self.epilog:
            with formatter.section("Example"):
                formatter.write("".join(f"  {line}\n" for line in self.epilog.splitlines()))


class Command(_Example):
    """A command; its `epilog` is an example of its use."""


class Group(_Example, click.Group):
    """A group of such commands."""

    command_class = Command


class LazyGroup(Group):
    """A group whose members are imported when they are called.

    :param members: name to (`module:attribute`, one line of help)
    """

    def __init__(self, *, members: Mapping[str, tuple[str, str]], **options: Any) -> None:  # noqa: ANN401  # click's own
        super().__init__(**options)
        self._members = members

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names, in the order of the documentation."""
        return list(self._members)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """Import a member."""
        if cmd_name not in self._members:
            return None
        module, _, attribute = self._members[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or fail with the nearest name, which click looks for among loaded commands only."""
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            raise NoSuchCommand(args[0], possibilities=self._members, ctx=ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        """List the members without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._members.items()])
