"""Options and value types that several commands share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import click

__all__ = ["Duration", "config_option", "json_option", "org_option"]

_FORM: Final = re.compile(r"([1-9][0-9]{0,5})([dhms])", re.ASCII)
_SECONDS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


class Duration(click.ParamType[int]):
    """A span of time like 90d, 12h, 30m or 10s; its value is in microseconds."""

    name = "duration"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the text."""
        if isinstance(value, int):
            return value
        match = _FORM.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is not a duration like 90d, 12h, 30m or 10s.", param, ctx)
        return int(match[1]) * _SECONDS[match[2]] * 1_000_000


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Settings file [default: the one SCRIBA_CONFIG names, else scriba.toml if it is there].",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
org_option = click.option("--org", "org", required=True, metavar="ORG", help="Id or name of the organisation.")
