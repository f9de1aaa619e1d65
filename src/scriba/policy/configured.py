"""The providers that the operator has configured, as far as a decision depends on them."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from scriba.domain.record import Operation

__all__ = ["ConfiguredProvider", "ModelRoute", "dialect_of", "is_china_endpoint"]

_CHINA_SUFFIXES: Final = (
    ".cn",  # includes amazonaws.com.cn (Sinnet, NWCD), azure.cn (21Vianet), siliconflow.cn
    ".aliyuncs.com",
    ".volces.com",
    ".baidubce.com",
    ".tencentmaas.com",
)


class ModelRoute(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A name that callers may use, because the operator says so: an Azure deployment, a model of one's own.

    :param name: what callers ask for
    :param upstream: what is sent to the provider
    :param canonical: the id in the model file, if it is one of those models; only then can another provider stand in
    """

    name: str
    upstream: str
    canonical: str = ""


class ConfiguredProvider(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One provider that requests can be sent to.

    :param id: the provider's id in the catalogue; one that is not there is one of whom nothing is known
    :param dialects: `openai`, `anthropic`, or both
    :param operations: what it can be asked for; empty means everything its dialects have
    :param models: the operator's own routes to it
    :param china_endpoint: whether its base URL is one of `is_china_endpoint`
    """

    id: str
    dialects: tuple[str, ...] = ("openai",)
    operations: tuple[Operation, ...] = ()
    models: tuple[ModelRoute, ...] = ()
    china_endpoint: bool = False

    def speaks(self, operation: Operation) -> bool:
        """Whether a request for `operation` can be handed over as it is."""
        if self.operations and operation not in self.operations:
            return False
        return dialect_of(operation) in self.dialects


def dialect_of(operation: Operation) -> str:
    """Return the dialect that `operation` belongs to."""
    return "anthropic" if operation is Operation.MESSAGES else "openai"


def is_china_endpoint(url: str) -> bool:
    """Whether requests to `url` end in mainland China, whoever the provider is.

    No URL is no endpoint; one that cannot be read counts as such, since the unknown never helps. The international
    addresses of China-based providers are not meant: the catalogue calls those providers China-based anyway.
    """
    if not url:
        return False
    try:
        host = urlsplit(url if "//" in url else f"//{url}").hostname
    except ValueError:
        return True
    return not host or f".{host.rstrip('.')}".endswith(_CHINA_SUFFIXES)
