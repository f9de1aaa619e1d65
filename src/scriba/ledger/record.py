"""From a record to its bytes and back.

The bytes are canonical JSON and are what is hashed; they are not stored but rebuilt from the fields. While a
record is prepared, everything is encoded but its place in the log, so that nothing costly happens under the
lock of the log's head.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from scriba.domain.record import Decision, Event, Hidden, Record, Stored
from scriba.domain.timestamp import format_timestamp
from scriba.ledger.canonical import MAX_INTEGER, MAX_RECORD, InvalidRecord, canonical_json, encode
from scriba.ledger.fields import TYPES, Form, form_of
from scriba.ledger.hidden import SALT_SIZE, commitments, kept_commitments
from scriba.ledger.kinds import Hash, Number, Time
from scriba.merkle.tree import leaf_hash

__all__ = ["PreparedRecord", "fields_of", "parse_record", "prepare", "record_bytes", "validate"]

VERSION: Final = 1

# No text of a record can hold the byte 0, so it marks the two places that are filled in later.
_SLOT: Final = msgspec.Raw(b"\x00")
_LONGEST_PLACE: Final = len(str(MAX_INTEGER)) + len('"9999-12-31T23:59:59.999999Z"')
_NO_HIDDEN: Final = Hidden()


class PreparedRecord(msgspec.Struct, frozen=True):
    """A record that is encoded but for its seq and its log time, with the salt of its hidden fields."""

    record: Record
    salt: bytes
    parts: tuple[bytes, bytes, bytes]
    time_first: bool

    def complete(self, seq: int, log_time: int) -> bytes:
        """Return the bytes of the record at this place.

        :raises InvalidTimestamp: if the log time lies outside 1970 to 9999
        """
        before, between, after = self.parts
        time = format_timestamp(log_time).encode()
        if self.time_first:
            return b'%b"%b"%b%d%b' % (before, time, between, seq, after)
        return b'%b%d%b"%b"%b' % (before, seq, between, time, after)


def prepare(record: Record, salt: bytes = b"") -> PreparedRecord:
    """Check a record and encode all that does not depend on its place.

    :param salt: 16 random bytes, fresh for this record; not needed without hidden values
    :raises InvalidRecord: naming the field
    """
    return _prepare(record, salt, commitments(_hidden(record), salt))


def validate(record: Record) -> None:
    """Check that a record can be logged, without making anything of it.

    :raises InvalidRecord: naming the field
    """
    prepare(record, bytes(SALT_SIZE))


def record_bytes(stored: Stored) -> bytes:
    """Rebuild the bytes of a stored record, also after an erasure.

    :raises InvalidRecord: if the stored fields cannot be those of a record
    """
    kept = kept_commitments(_hidden(stored.record), stored.salt, stored.commitments, stored.field_keys)
    return _prepare(stored.record, stored.salt, kept).complete(stored.seq, stored.log_time)


def fields_of(record: Record, committed: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the fields of a record as JSON, but for its seq and its log time.

    :param committed: commitments to the hidden values, by name
    :raises InvalidRecord: naming the field
    """
    form = form_of(record)
    fields = form.write(record)
    if committed:
        fields["hidden"] = committed
    fields["type"] = form.type
    fields["v"] = VERSION
    return fields


def parse_record(data: bytes) -> Stored:
    """Read the bytes of a record, and only exactly what `record_bytes` writes.

    The hidden values are not in the bytes; their commitments are.

    :raises InvalidRecord: for anything else: other bytes of the same meaning, unknown names or types, values that
        are not allowed
    """
    members = _decode(data)
    if Number().read(members.pop("v", None), "v") != VERSION:
        raise InvalidRecord("v", f"must be {VERSION}")
    form = TYPES.get(str(members.pop("type", None)))
    if form is None:
        raise InvalidRecord("type", f"must be one of {', '.join(sorted(TYPES))}")
    seq = Number().read(members.pop("seq", None), "seq")
    log_time = Time().read(members.pop(_time_name(form, members), None), "timestamp")
    committed = _read_hidden(form, members.pop("hidden", {}))
    for name in members:
        if name not in form.names:
            raise InvalidRecord(name, f"is not a field of the type {form.type}")
    return Stored(
        seq=seq, log_time=log_time, leaf_hash=leaf_hash(data), record=form.read(members), commitments=committed
    )


def _prepare(record: Record, salt: bytes, committed: dict[str, str]) -> PreparedRecord:
    fields = fields_of(record, committed)
    # The source's own claim stands in the field `timestamp` of an imported decision.
    time_first = "timestamp" in fields
    fields["loggedAt" if time_first else "timestamp"] = _SLOT
    fields["seq"] = _SLOT
    before, between, after = encode(fields).split(b"\x00")
    size = len(before) + len(between) + len(after) + _LONGEST_PLACE
    if size > MAX_RECORD:
        raise InvalidRecord("record", f"has {size} bytes; the limit is {MAX_RECORD}")
    return PreparedRecord(record, salt, (before, between, after), time_first)


def _hidden(record: Record) -> Hidden:
    return record.hidden if isinstance(record, Decision | Event) else _NO_HIDDEN


def _decode(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_RECORD:
        raise InvalidRecord("record", f"has {len(data)} bytes; the limit is {MAX_RECORD}")
    try:
        members = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRecord("record", f"is not JSON: {error}") from error
    if not isinstance(members, dict):
        raise InvalidRecord("record", "is not an object")
    if canonical_json(members) != data:
        raise InvalidRecord("record", "is not in canonical form")
    return members


def _time_name(form: Form, members: dict[str, Any]) -> str:
    return "loggedAt" if form.record is Decision and "loggedAt" in members else "timestamp"


def _read_hidden(form: Form, members: object) -> dict[str, str]:
    if not isinstance(members, dict):
        raise InvalidRecord("hidden", "must be an object")
    for name, commitment in members.items():
        if name not in form.hidden:
            raise InvalidRecord(f"hidden.{name}", f"is not a field of the type {form.type}")
        Hash().read(commitment, f"hidden.{name}")
    return members
