"""`scriba import`: history from a file."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import click

from scriba.audit.foreign import Form
from scriba.audit.imports import MAX_ENTRIES, Importer
from scriba.audit.source import pieces_of, read_batches
from scriba.cli.command import Command
from scriba.cli.failure import NO
from scriba.cli.opening import open_existing
from scriba.cli.options import config_option, json_option, org_option
from scriba.cli.progress import progress
from scriba.cli.show import print_json
from scriba.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from scriba.audit.imports import Imported
    from scriba.audit.source import Batch

__all__ = ["import_"]

_STANDARD_INPUT: Final = "-"
_SUFFIX: Final = ".refused.ndjson"


class _Tally:
    """How much has been done."""

    def __init__(self) -> None:
        self.imported = self.skipped = self.refused = self.read = 0
        self._started = time.monotonic()

    def add(self, batch: Batch, imported: Imported) -> None:
        self.imported += imported.imported
        self.skipped += imported.skipped
        self.refused += len(imported.refused)
        self.read += batch.size

    @property
    def rate(self) -> int:
        """Entries a second."""
        return round((self.imported + self.skipped + self.refused) / max(time.monotonic() - self._started, 0.001))

    def document(self, side_file: Path) -> dict[str, object]:
        counts: dict[str, object] = {"imported": self.imported, "skipped": self.skipped, "refused": self.refused}
        return counts | ({"refusedFile": str(side_file)} if self.refused else {}) | {"perSecond": self.rate}


@click.command("import", cls=Command, epilog="scriba import audit-logs-january.csv --org acme --format casedev")
@click.argument("file", metavar="FILE|-")
@org_option
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Form]),
    default=Form.SCRIBA.value,
    show_default=True,
    help="What the entries look like.",
)
@config_option
@json_option
def import_(file: str, org: str, form: str, config: Path | None, *, as_json: bool) -> int:
    """Bring in history with its ids and times: lines of JSON, a JSON export, or CSV. `-` is standard input.

    It can be interrupted at any time: run the same command again, and it goes on where it was. What cannot be taken is
    written to FILE.refused.ndjson with its line and the reason. Exit code 1 if there is any.
    """
    side_file = _side_file(file)
    tally = _Tally()
    alike: Counter[bytes] = Counter()
    with open_existing(config) as opened, _opened(file) as (stream, total):
        org_id = opened.control.find_organisation(org).id
        importer = Importer(opened.store)
        try:
            with progress("Importing (bytes)") as advance, _Refusals(side_file) as refusals:
                for batch in read_batches(pieces_of(stream, Form(form)), MAX_ENTRIES):
                    imported = importer.import_entries(org_id, batch.entries(), batch.sha256, alike=alike)
                    tally.add(batch, imported)
                    refusals.write(batch, imported)
                    advance(tally.read, max(total, tally.read))
        except KeyboardInterrupt:
            _tell_interrupted(tally)
            raise
    _tell(tally, side_file, as_json=as_json)
    return NO if tally.refused else 0


class _Refusals:
    """The side file. It is made when the first entry is refused; one of an earlier run is replaced or removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, batch: Batch, imported: Imported) -> None:
        """Add what was refused of a batch, each with its line, the reason and how it stood there."""
        for refused in imported.refused:
            piece = batch.pieces[refused.index]
            line = {"line": piece.number, "param": refused.param, "message": refused.message}
            self._open().write(json.dumps(line | {"entry": piece.raw.decode(errors="replace")}) + "\n")
        if self._file is not None:
            self._file.flush()

    def _open(self) -> TextIO:
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8")
        return self._file


@contextmanager
def _opened(file: str) -> Iterator[tuple[Iterable[bytes], int]]:
    """Open the source; the second value is its size in bytes, 0 if nobody knows."""
    if file == _STANDARD_INPUT:
        yield sys.stdin.buffer, 0
        return
    path = Path(file)
    if not path.is_file():
        raise NotFound(f"There is no file {file}.", param="FILE")
    with path.open("rb") as stream:
        yield stream, os.fstat(stream.fileno()).st_size


def _side_file(file: str) -> Path:
    return Path(("import" if file == _STANDARD_INPUT else file) + _SUFFIX)


def _tell(tally: _Tally, side_file: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(tally.document(side_file))
        return
    click.echo(f"Imported {_entries(tally.imported)}{f', {tally.rate} a second' if tally.imported else ''}.")
    if tally.skipped:
        click.echo(f"{_entries(tally.skipped)} had been imported before.")
    if tally.refused:
        click.echo(f"{_entries(tally.refused)} could not be taken; {side_file} says why.")


def _tell_interrupted(tally: _Tally) -> None:
    click.echo(f"{_entries(tally.imported + tally.skipped)} are imported, each once.", err=True)
    click.echo("Run the same command again to go on.", err=True)


def _entries(count: int) -> str:
    return f"{count} entry" if count == 1 else f"{count} entries"
