"""A report as one HTML page that loads nothing: to be read in a browser, kept as a file, or printed."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from scriba.audit.report.document import report_fields
from scriba.audit.report.findings import Status
from scriba.domain.timestamp import moment

if TYPE_CHECKING:
    from scriba.audit.report.report import Report

__all__ = ["CONTENT_SECURITY_POLICY", "report_page"]

_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("scriba.audit.report"), autoescape=True, undefined=StrictUndefined, auto_reload=False
)


def _moment(timestamp: str) -> str:
    """Return a timestamp as people read it, to the second."""
    return ", ".join(moment(timestamp))


def _day(timestamp: str) -> str:
    """Return the day of a timestamp, and the time only if it is not midnight."""
    return _moment(timestamp).removesuffix(", 00:00:00")


_ENVIRONMENT.filters.update(moment=_moment, day=_day)
_STYLE: Final = _ENVIRONMENT.get_template("report.css").render()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_IN_PAGE: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; form-action 'none'"
)

CONTENT_SECURITY_POLICY: Final = f"{_IN_PAGE}; frame-ancestors 'none'"
"""What the page is sent with: its own style and nothing else."""

_SAYS: Final = {
    Status.COMPLIANT: "Compliant",
    Status.WARNINGS: "Compliant, with warnings",
    Status.NON_COMPLIANT: "Not compliant",
}


def report_page(report: Report) -> bytes:
    """Write a report."""
    fields = report_fields(report)
    status = Status(str(fields["complianceStatus"]))
    values = {
        "report": fields,
        "says": _SAYS[status],
        "tone": {Status.COMPLIANT: "good", Status.WARNINGS: "mixed"}.get(status, "bad"),
        "organisation": report.org_name,
        "style": _STYLE,
        "policy": _IN_PAGE,
    }
    return _ENVIRONMENT.get_template("report.html").render(values).encode("utf-8", "replace")
