"""Whether Scriba can write where it keeps its files, asked before anything is begun there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from scriba.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["REMEDY", "check_data_folder", "nearest_present"]

REMEDY: Final = "Let the user who runs Scriba write there, or set data_dir (SCRIBA_DATA_DIR) to another folder."


def nearest_present(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there, in which it would be made."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def check_data_folder(folder: Path) -> None:
    """Make sure that the data folder can be written to, or made. Nothing is made by asking.

    :raises SettingsError: it cannot
    """
    present = nearest_present(folder)
    if not present.is_dir():
        raise SettingsError(
            f"The data folder {folder} cannot be made: {present} is a file.", param="data_dir", hint=REMEDY
        )
    if not os.access(present, os.W_OK | os.X_OK):
        what = f"The data folder {folder}"
        if present != folder:
            what = f"The data folder {folder} cannot be made: {present}"
        raise SettingsError(f"{what} cannot be written to.", param="data_dir", hint=REMEDY)
