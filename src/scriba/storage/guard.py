"""The guard: the newest signed checkpoint of every log, kept outside the database.

A database that is restored, failed over or deleted forgets records that were acknowledged. The guard does not:
it is compared with the heads at every start. Files are replaced whole, so a crash leaves the old or the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scriba.errors import IntegrityError, StoreUnreachable
from scriba.ledger.origin import parse_origin
from scriba.merkle.note import Checkpoint, InvalidNote, open_note, parse_checkpoint, parse_note, parse_vkey
from scriba.storage.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scriba.ledger.keyring import Keyring

__all__ = ["Guard"]

_SUFFIX: Final = ".checkpoint"


class Guard:
    """A folder with one signed note for each log.

    :param folder: is made when the first note is written
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def is_empty(self) -> bool:
        """Whether no checkpoint was ever kept here."""
        return next(self._files(), None) is None

    def checkpoints(self, keyring: Keyring) -> Iterator[Checkpoint]:
        """Read every checkpoint and check its signature.

        :raises IntegrityError: a note is damaged, or another secret signed it
        """
        for file in sorted(self._files()):
            try:
                data = file.read_bytes()
                keys = keyring.of(_checkpoint(data).origin)
                yield parse_checkpoint(open_note(data, [parse_vkey(keys.vkeys[0])]).text)
            except (InvalidNote, ValueError) as error:
                raise IntegrityError(
                    f"The checkpoint {file} is damaged, or was signed with another deployment secret.",
                    hint="Put the file, or the secret that belongs to it, back from a backup.",
                ) from error

    def remember(self, note: str) -> None:
        """Keep a checkpoint in place of a smaller one of its log. Call it with the log's head locked.

        :raises IntegrityError: the one that is kept is larger, or has another root at the same size
        :raises StoreUnreachable: the guard cannot be written
        """
        checkpoint = _checkpoint(note.encode())
        file = self._file(checkpoint.origin)
        try:
            kept = _checkpoint(file.read_bytes()) if file.exists() else None
            if kept is not None and kept.size >= checkpoint.size:
                _refuse_rollback(kept, checkpoint, self.folder)
            else:
                write_private(file, note)
        except OSError as error:
            raise StoreUnreachable(f"The guard {self.folder} cannot be written: {error}.") from error

    def _files(self) -> Iterator[Path]:
        return self.folder.rglob(f"*{_SUFFIX}")

    def _file(self, origin: str) -> Path:
        parts = parse_origin(origin)
        owner = self.folder / parts.org_id if parts.org_id else self.folder
        return owner / f"{parts.log}-{parts.generation}{_SUFFIX}"


def _refuse_rollback(kept: Checkpoint, checkpoint: Checkpoint, folder: Path) -> None:
    if kept != checkpoint:
        raise IntegrityError(
            f"The log {checkpoint.origin} has {checkpoint.size} records, but the guard {folder} holds a checkpoint of "
            f"{kept.size} that does not fit: the database was rolled back.",
            hint="Put the newer database back. Nothing is signed until then.",
        )


def _checkpoint(note: bytes) -> Checkpoint:
    return parse_checkpoint(parse_note(note).text)
