"""Adds what entries are looked up by.

Revision: 0002
"""

from ipaddress import IPv4Address, ip_address

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_records = sa.table(
    "records", sa.column("log_id"), sa.column("seq"), sa.column("ip_address"), sa.column("ip_bytes", sa.LargeBinary())
)
_order = (_records.c.log_id, _records.c.seq)
_fill = (
    sa.update(_records)
    .where(_records.c.log_id == sa.bindparam("of_log"), _records.c.seq == sa.bindparam("of_seq"))
    .values(ip_bytes=sa.bindparam("address"))
)
_CHUNK = 10_000


def upgrade() -> None:
    """Add the address as bytes, and indexes over requests and refused entries."""
    op.add_column("records", sa.Column("ip_bytes", sa.LargeBinary(), nullable=True))
    _fill_addresses()
    op.create_index(
        "ix_records_request_id",
        "records",
        ["request_id"],
        unique=False,
        sqlite_where=sa.text("request_id IS NOT NULL"),
        postgresql_where=sa.text("request_id IS NOT NULL"),
    )
    op.create_index(
        "ix_records_refused",
        "records",
        ["log_id", "timestamp"],
        unique=False,
        sqlite_where=sa.text("NOT allowed"),
        postgresql_where=sa.text("NOT allowed"),
    )


def _fill_addresses() -> None:
    connection = op.get_bind()
    last = sa.tuple_(-1, -1)
    with_address = sa.select(_records.c.log_id, _records.c.seq, _records.c.ip_address).where(
        _records.c.ip_address.is_not(None)
    )
    in_order = with_address.order_by(*_order).limit(_CHUNK)
    while rows := connection.execute(in_order.where(sa.tuple_(*_order) > last)).mappings().all():
        connection.execute(_fill, [_filled(row) for row in rows])
        last = sa.tuple_(rows[-1]["log_id"], rows[-1]["seq"])


def _filled(row: sa.RowMapping) -> dict[str, object]:
    return {"of_log": row["log_id"], "of_seq": row["seq"], "address": _address_bytes(str(row["ip_address"]))}


def _address_bytes(text: str) -> bytes | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return b"\x00" * 10 + b"\xff" * 2 + address.packed if isinstance(address, IPv4Address) else address.packed
