"""Organisations, API keys and policies: one view of them for each process, and the ways to change them.

Requests are decided on `Control.state`, which is in memory. It may be behind: every append therefore compares the
revision it was decided under with the database's, inside its own transaction (`scriba.storage.hot`). So a change
holds for every request that begins after the change was acknowledged, in every process, and nothing is read from
the database for a request while nothing changes.
"""

from __future__ import annotations

from scriba.storage.control.keys import ApiKeys
from scriba.storage.control.organisations import KEEP_DAYS, KeepDays, Organisations
from scriba.storage.control.policies import Policies

__all__ = ["KEEP_DAYS", "Control", "KeepDays"]


class Control(Organisations, ApiKeys, Policies):
    """The control tables of one database, as one process sees them."""
