"""The keys of every log of a deployment, made when they are first needed."""

from __future__ import annotations

from scriba.domain.secret import Secret
from scriba.ledger.keys import LogKeys, derive_key
from scriba.ledger.origin import Origin, parse_origin

__all__ = ["Keyring"]


class Keyring:
    """Derives and keeps the keys of logs. Safe to share between threads: at worst, keys are made twice.

    :param secret: the deployment secret
    """

    def __init__(self, secret: Secret[bytes]) -> None:
        self._secret = secret
        self._keys: dict[str, LogKeys] = {}

    def of(self, origin: Origin | str) -> LogKeys:
        """Return the keys of the log with this origin.

        :raises InvalidOrigin: it is not the name of a log
        """
        name = str(origin)
        if (keys := self._keys.get(name)) is None:
            keys = self._keys[name] = LogKeys(self._secret, parse_origin(name))
        return keys

    def shared_key(self, purpose: str) -> Secret[bytes]:
        """Return 32 bytes that every process of the deployment has, for something that is not a log."""
        return Secret(derive_key(self._secret, b"shared\x00" + purpose.encode()))
