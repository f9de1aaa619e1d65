"""The files that pages load: style sheet, script, icon.

Each is served under an address that holds the hash of its content. An address therefore never changes its meaning
and may be kept by the browser for ever; a new version of Scriba has new addresses.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.responses import Response

from scriba.errors import NotFound

__all__ = ["asset_response", "asset_url"]

_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FILES: Final = {path.name: path.read_bytes() for path in (Path(__file__).parent / "static").iterdir()}
_DIGESTS: Final = {name: sha256(content).hexdigest()[:16] for name, content in _FILES.items()}
_HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}


def asset_url(name: str) -> str:
    """Return the address of a file by its name."""
    return f"/console/static/{_DIGESTS[name]}/{name}"


def asset_response(digest: str, name: str) -> Response:
    """Return a file.

    :raises NotFound: there is no such file, or not with this content
    """
    if _DIGESTS.get(name) != digest:
        raise NotFound(f"There is no file {name!r} of this version.")
    return Response(_FILES[name], media_type=_TYPES[Path(name).suffix], headers=_HEADERS)
