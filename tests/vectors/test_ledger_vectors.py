"""The golden vectors of the ledger formats. Where one of these fails, the code is wrong, not the vector."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scriba.domain.record import HIDDEN_FIELDS, Decision, Event, Hidden, Stored
from scriba.domain.secret import Secret
from scriba.domain.timestamp import InvalidTimestamp, format_timestamp, parse_timestamp
from scriba.errors import IntegrityError
from scriba.ledger.canonical import InvalidRecord, canonical_json, document_json
from scriba.ledger.hidden import commit, commitments, field_key, field_keys, opens
from scriba.ledger.keys import LogKeys, derive_seed
from scriba.ledger.origin import parse_origin
from scriba.ledger.receipt import Receipt, check_receipt, receipt_name
from scriba.ledger.record import parse_record, prepare, record_bytes
from scriba.ledger.seal import EMPTY_HEAD, Head, check_seal, seal
from scriba.ledger.verifier import Verification, verify_log
from scriba.merkle.note import (
    Checkpoint,
    InvalidNote,
    Signer,
    open_note,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    sign_note,
)
from scriba.merkle.proof import (
    InvalidProof,
    check_consistency,
    check_inclusion,
    prove_consistency,
    prove_inclusion,
    read_leaves,
)
from scriba.merkle.tree import EMPTY_ROOT, extend_frontier, leaf_hash, root_hash

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "ledger_vectors.json").read_text("utf-8"))
MERKLE = VECTORS["merkle"]
KEYS = VECTORS["keys"]
LOG = VECTORS["log"]
RECORDS = [*LOG["records"], *VECTORS["importsLog"]["records"], *VECTORS["otherRecords"]["records"]]
SECRET = Secret(bytes.fromhex(KEYS["deploymentSecret"]))


def hashes(texts: list[str]) -> tuple[bytes, ...]:
    """Decode hashes from hex."""
    return tuple(map(bytes.fromhex, texts))


def hidden_of(values: dict[str, Any]) -> Hidden:
    """Make hidden values from a vector's `values`."""
    attributes = {HIDDEN_FIELDS[name]: value for name, value in values.items()}
    return msgspec.convert(attributes, Hidden)


def stored_of(record: dict[str, Any]) -> Stored:
    """Make the row of a vector's record, with hidden values and salt, as the database would hold it."""
    read = parse_record(record["canonical"].encode())
    if "values" not in record:
        return read
    assert isinstance(read.record, Decision | Event)
    opened = msgspec.structs.replace(read.record, hidden=hidden_of(record["values"]))
    return msgspec.structs.replace(read, record=opened, commitments={}, salt=bytes.fromhex(record["salt"]))


def small_log() -> list[Stored]:
    """Make the rows of the small log."""
    return [stored_of(record) for record in LOG["records"]]


def head_of(records: list[Stored]) -> Head:
    """Make the head that these rows give."""
    return EMPTY_HEAD.append([record.leaf_hash for record in records], records[-1].log_time)


def verify(records: list[Stored], head: Head | None = None) -> Verification:
    """Verify rows as the small log, against its true head unless another is given."""
    return verify_log(records, head or head_of(small_log()), parse_origin(LOG["origin"]))


def titled(record: dict[str, Any]) -> str:
    """Name a test case after its record."""
    return f"{record['fields']['type']}: {record['title']}"


# Tree and proofs


def test_leaf_hashes() -> None:
    """A leaf's hash is that of every Certificate Transparency log."""
    assert [leaf_hash(bytes.fromhex(leaf)).hex() for leaf in MERKLE["leafInputs"]] == MERKLE["leafHashes"]
    assert EMPTY_ROOT.hex() == MERKLE["emptyRoot"]


@pytest.mark.parametrize("size", range(9))
def test_roots_and_frontiers(size: int) -> None:
    """Frontier and root of the well-known test tree come out at every size."""
    frontier = extend_frontier(0, (), hashes(MERKLE["leafHashes"])[:size])
    assert frontier == hashes(MERKLE["frontierBySize"][size])
    assert root_hash(frontier).hex() == MERKLE["rootsBySize"][size]


@pytest.mark.parametrize("case", MERKLE["inclusion"], ids=lambda case: f"{case['index']} of {case['size']}")
def test_inclusion_proofs(case: dict[str, Any]) -> None:
    """An inclusion proof is made and accepted as published, and no other leaf passes with it."""
    leaves, root, proof = hashes(MERKLE["leafHashes"]), bytes.fromhex(case["root"]), hashes(case["proof"])
    assert prove_inclusion(case["index"], case["size"], read_leaves(leaves)) == proof
    check_inclusion(leaves[case["index"]], case["index"], case["size"], proof, root)
    with pytest.raises(InvalidProof):
        check_inclusion(leaf_hash(b"another"), case["index"], case["size"], proof, root)


@pytest.mark.parametrize("case", MERKLE["consistency"], ids=lambda case: f"{case['oldSize']} to {case['newSize']}")
def test_consistency_proofs(case: dict[str, Any]) -> None:
    """A consistency proof is made and accepted as published, and joins no other root."""
    proof, old, new = hashes(case["proof"]), bytes.fromhex(case["oldRoot"]), bytes.fromhex(case["newRoot"])
    read = read_leaves(hashes(MERKLE["leafHashes"]))
    assert prove_consistency(case["oldSize"], case["newSize"], read) == proof
    check_consistency(case["oldSize"], old, case["newSize"], new, proof)
    with pytest.raises(InvalidProof):
        check_consistency(case["oldSize"], EMPTY_ROOT, case["newSize"], new, proof)


def test_tree_of_600_leaves() -> None:
    """Roots and proofs of a tree with more than one tile come out."""
    large = MERKLE["large"]
    leaves = [leaf_hash(str(number).encode()) for number in range(600)]
    frontier = extend_frontier(0, (), leaves)
    assert root_hash(frontier).hex() == large["root"]
    assert frontier[0].hex() == large["rootOf512"]
    inclusion, consistency = large["inclusion"], large["consistency"]
    assert prove_inclusion(inclusion["index"], 600, read_leaves(leaves)) == hashes(inclusion["proof"])
    check_inclusion(
        leaves[inclusion["index"]], inclusion["index"], 600, hashes(inclusion["proof"]), root_hash(frontier)
    )
    assert prove_consistency(consistency["oldSize"], 600, read_leaves(leaves)) == hashes(consistency["proof"])
    check_consistency(
        consistency["oldSize"],
        bytes.fromhex(consistency["oldRoot"]),
        600,
        root_hash(frontier),
        hashes(consistency["proof"]),
    )


# Canonical JSON and time


@pytest.mark.parametrize(
    "case", VECTORS["jcs"]["examples"][:4] + VECTORS["jcs"]["examples"][5:], ids=lambda c: c["input"]
)
def test_documents_are_canonical(case: dict[str, Any]) -> None:
    """Documents that records name by their hash are encoded as RFC 8785 says."""
    assert document_json(json.loads(case["input"])).hex() == case["canonicalHex"]


def test_names_that_would_sort_otherwise_are_refused() -> None:
    """The one example whose names are not ASCII is refused, since only there the order of our encoder could differ."""
    with pytest.raises(InvalidRecord):
        document_json(json.loads(VECTORS["jcs"]["examples"][4]["input"]))


@pytest.mark.parametrize("case", VECTORS["jcs"]["mustRefuse"], ids=lambda case: case["why"])
def test_json_that_is_no_record_is_refused(case: dict[str, Any]) -> None:
    """JSON that has several forms, or none that every reader keeps exact, never becomes or passes for a record."""
    text = case["input"] if case["input"].startswith("{") else f'{{"value":{case["input"]}}}'
    with pytest.raises(InvalidRecord):
        parse_record(text.encode())
    if "canonical form" not in case["why"] and "duplicate" not in case["why"]:
        with pytest.raises(InvalidRecord):
            canonical_json(json.loads(text))


@pytest.mark.parametrize("case", VECTORS["timestamps"]["examples"], ids=lambda case: case["text"])
def test_timestamps(case: dict[str, Any]) -> None:
    """A time has exactly this text, and the text exactly this time."""
    assert format_timestamp(case["micros"]) == case["text"]
    assert parse_timestamp(case["text"]) == case["micros"]


@pytest.mark.parametrize("text", VECTORS["timestamps"]["mustRefuse"])
def test_other_forms_of_time_are_refused(text: str) -> None:
    """A second way to write a time, or a time that does not exist, is refused."""
    with pytest.raises(InvalidTimestamp):
        parse_timestamp(text)


# Records and hidden fields


@pytest.mark.parametrize("record", RECORDS, ids=titled)
def test_record_bytes(record: dict[str, Any]) -> None:
    """Each type of record is prepared to exactly these bytes and hash, with every optional field."""
    stored = stored_of(record)
    data = prepare(stored.record, stored.salt).complete(stored.seq, stored.log_time)
    assert data.decode() == record["canonical"]
    assert leaf_hash(data).hex() == record["leafHash"]
    assert len(data) == record["length"]


@pytest.mark.parametrize("record", RECORDS, ids=titled)
def test_record_is_read_and_rebuilt(record: dict[str, Any]) -> None:
    """The bytes of a record are understood, and come out again without its hidden values."""
    stored = parse_record(record["canonical"].encode())
    assert record_bytes(stored).decode() == record["canonical"]
    fields = {name: value for name, value in record["fields"].items() if value not in (None, [], "")}
    assert fields.items() <= json.loads(record["canonical"]).items()
    assert stored.seq == record["fields"]["seq"]


def test_records_add_up_to_the_roots() -> None:
    """The two logs have the roots that their records give."""
    for log in (LOG, VECTORS["importsLog"]):
        assert head_of([stored_of(record) for record in log["records"]]).root().hex() == log["root"]


def test_documents_hash_to_the_names_in_the_record() -> None:
    """Policy, catalogue and request body are named by the hashes that stand in the entry."""
    fields, values = LOG["records"][1]["fields"], LOG["records"][1]["values"]
    for document, name in (("policyDocument", "policySha256"), ("catalogueDocument", "catalogueSha256")):
        encoded = document_json(json.loads(LOG[document]))
        assert encoded.decode() == LOG[document]
        assert hashlib.sha256(encoded).hexdigest() == fields[name]
    assert hashlib.sha256(LOG["requestBodyOfEntry1"].encode()).hexdigest() == values["requestSha256"]


@pytest.mark.parametrize("record", [record for record in RECORDS if "values" in record], ids=titled)
def test_field_keys_and_commitments(record: dict[str, Any]) -> None:
    """Salt and value give these field keys and commitments, all at once or one by one."""
    salt, committed = bytes.fromhex(record["salt"]), json.loads(record["canonical"])["hidden"]
    assert commitments(hidden_of(record["values"]), salt) == committed
    assert field_keys(salt, record["values"]) == record["fieldKeys"]
    for name, value in record["values"].items():
        assert commit(field_key(salt, name), tuple(value) if isinstance(value, list) else value) == committed[name]


def test_erasing_all_values_keeps_the_hash() -> None:
    """A record without salt and values still gives its leaf hash, from its commitments."""
    erased = VECTORS["erasure"]["afterErasingAll"]
    stored = parse_record(LOG["records"][1]["canonical"].encode())
    kept = msgspec.structs.replace(stored, commitments=erased["stored"]["commitments"])
    assert leaf_hash(record_bytes(kept)).hex() == erased["leafHash"]


def test_erasing_one_value_keeps_the_hash() -> None:
    """After one value is erased, the keys of the others and its commitment give the same leaf hash."""
    erased = VECTORS["erasure"]["afterErasingIpAddress"]
    stored = stored_of(LOG["records"][1])
    assert isinstance(stored.record, Decision)
    kept = msgspec.structs.replace(
        stored,
        record=msgspec.structs.replace(stored.record, hidden=hidden_of(erased["stored"]["values"])),
        salt=b"",
        commitments=erased["stored"]["commitments"],
        field_keys=erased["stored"]["fieldKeys"],
    )
    assert leaf_hash(record_bytes(kept)).hex() == erased["leafHash"]


def test_one_field_opens_alone() -> None:
    """Field key and value open one field, and no other value does."""
    case = VECTORS["erasure"]["singleFieldOpening"]
    key = bytes.fromhex(case["fieldKey"])
    assert opens(case["commitment"], key, case["value"])
    assert not opens(case["commitment"], key, case["value"] + "0")


# Keys, notes, receipts, seal


@pytest.mark.parametrize("name", ["log", "logRotated", "receipt"])
def test_keys_are_derived_from_the_secret(name: str) -> None:
    """The deployment secret yields these keys and no others."""
    key = KEYS[name]
    seed = derive_seed(SECRET, key["keyName"], key["number"])
    verifier = Signer(key["keyName"], seed).verifier
    assert seed.hex() == key["seed"]
    assert verifier.public_key.hex() == key["publicKey"]
    assert verifier.key_id.hex() == key["keyId"]
    assert verifier.vkey == key["vkey"]
    assert parse_vkey(key["vkey"]) == verifier


@pytest.mark.parametrize("log", [LOG, VECTORS["importsLog"]], ids=lambda log: log["origin"].split("/")[3])
def test_first_record_lists_the_keys_of_the_log(log: dict[str, Any]) -> None:
    """The verifier keys in the first record are those that the secret yields, receipts' key last."""
    assert list(LogKeys(SECRET, parse_origin(log["origin"])).vkeys) == log["records"][0]["fields"]["keys"]


def test_anchor_log_has_an_origin_without_organisation() -> None:
    """The keys of a log of the deployment itself are derived and its note verifies."""
    anchor = VECTORS["anchorLog"]
    assert LogKeys(SECRET, parse_origin(anchor["origin"])).vkeys[0] == anchor["vkey"]
    note = open_note(anchor["checkpointNote"].encode(), [parse_vkey(anchor["vkey"])])
    leaves = [leaf_hash(record["canonical"].encode()) for record in anchor["records"]]
    assert parse_checkpoint(note.text) == Checkpoint(anchor["origin"], 2, root_hash(extend_frontier(0, (), leaves)))


def test_checkpoint_note() -> None:
    """A checkpoint is written, signed, read and verified as these bytes."""
    case = VECTORS["checkpoint"]
    root = bytes.fromhex(LOG["root"])
    assert LogKeys(SECRET, parse_origin(LOG["origin"])).sign_checkpoint(4, root) == case["note"]
    note = open_note(case["note"].encode(), [parse_vkey(KEYS["log"]["vkey"])])
    assert note.text == case["text"]
    assert parse_checkpoint(note.text) == Checkpoint(LOG["origin"], 4, root)
    assert hashlib.sha256(note.text.encode()).hexdigest() == case["textSha256"]
    small = parse_checkpoint(open_note(case["noteSize3"].encode(), [parse_vkey(KEYS["log"]["vkey"])]).text)
    assert small == Checkpoint(LOG["origin"], 3, head_of(small_log()[:3]).root())


@pytest.mark.parametrize("known", [["log"], ["logRotated"], ["log", "logRotated"]], ids="+".join)
def test_note_during_a_rotation(known: list[str]) -> None:
    """Old, new and both keys verify a note that both have signed; the unknown line is ignored."""
    case = VECTORS["checkpoint"]["noteDuringRotation"]
    signers = [Signer(KEYS[name]["keyName"], bytes.fromhex(KEYS[name]["seed"])) for name in ("log", "logRotated")]
    assert sign_note(VECTORS["checkpoint"]["text"], signers) == case
    note = open_note(case.encode(), [parse_vkey(KEYS[name]["vkey"]) for name in known])
    assert [signature.key_id.hex() for signature in note.signatures] == [KEYS[name]["keyId"] for name in known]


def test_lines_of_a_witness_are_ignored() -> None:
    """A cosigned note still verifies by the log's own key, and is not verified by a stranger's."""
    note = VECTORS["witness"]["cosignedNote"].encode()
    assert len(parse_note(note).signatures) == 2
    assert len(open_note(note, [parse_vkey(KEYS["log"]["vkey"])]).signatures) == 1
    with pytest.raises(InvalidNote):
        open_note(note, [parse_vkey(KEYS["receipt"]["vkey"])])


@pytest.mark.parametrize("case", VECTORS["publishedNotes"], ids=lambda case: case["from"])
def test_published_notes_verify(case: dict[str, Any]) -> None:
    """Notes that others have published verify, so the format is theirs."""
    verifier = parse_vkey(case["vkey"])
    assert verifier.vkey == case["vkey"]
    assert str(open_note(case["note"].encode(), [verifier])) == case["note"]
    with pytest.raises(InvalidNote):
        open_note(case["note"].replace("you", "yoo").replace("message", "massage").encode(), [verifier])


def test_receipt() -> None:
    """The receipt of record 2 has this header over this text, and is accepted for this log alone."""
    case, record = VECTORS["receipt"], small_log()[2]
    keys = LogKeys(SECRET, parse_origin(LOG["origin"]))
    verifier = parse_vkey(KEYS["receipt"]["vkey"])
    expected = Receipt(2, record.log_time, record.leaf_hash)
    assert keys.sign_receipt(2, record.leaf_hash, record.log_time) == case["header"]
    assert check_receipt(case["header"], LOG["origin"], [verifier]) == expected
    assert expected.text(LOG["origin"]) == case["text"]
    note = open_note(case["note"].encode(), [verifier])
    assert (note.text, note.signatures[0].name) == (case["text"], receipt_name(LOG["origin"]))


def test_head_seal() -> None:
    """The seal of the head at size 3 is this one, and follows from the records."""
    case = VECTORS["headSeal"]
    keys = LogKeys(SECRET, parse_origin(LOG["origin"]))
    head = head_of(small_log()[:3])
    assert keys.head_key.reveal().hex() == case["key"]
    assert head.frontier == hashes(case["frontier"])
    assert seal(head, keys.head_key).hex() == case["seal"]
    check_seal(head, keys.head_key, bytes.fromhex(case["seal"]))


# Tampering


def change_decision(stored: Stored, **changes: Any) -> Stored:
    """Edit fields of a row and nothing else."""
    return msgspec.structs.replace(stored, record=msgspec.structs.replace(stored.record, **changes))


def test_untouched_log_verifies() -> None:
    """The log as it was written has no finding, and the root that was signed."""
    for log in (LOG, VECTORS["importsLog"]):
        records = [stored_of(record) for record in log["records"]]
        result = verify_log(records, head_of(records), parse_origin(log["origin"]))
        assert (result.findings, result.first_bad, result.records) == ((), None, 4)
        assert result.ok
        assert result.root.hex() == log["root"]


def test_changed_verdict_is_found() -> None:
    """Record 2 turned from refused to allowed no longer gives its hash."""
    records = small_log()
    records[2] = change_decision(records[2], allowed=True)
    result = verify(records)
    assert result.first_bad == 2
    assert "Record 2 was changed" in str(result.findings[0])


def test_swapped_records_are_found() -> None:
    """Two swapped records do not stand at the seq they carry."""
    records = small_log()
    records[1:3] = records[2], records[1]
    result = verify(records)
    assert (result.first_bad, result.findings[0].field) == (1, "seq")


def test_removed_record_is_found() -> None:
    """A removed record leaves a hole, and no proof joins what is left to the signed size 4."""
    records = small_log()
    del records[2]
    assert verify(records).first_bad == 2
    left = head_of(records)
    with pytest.raises(InvalidProof):
        check_consistency(3, left.root(), 4, bytes.fromhex(LOG["root"]), hashes([LOG["records"][3]["leafHash"]]))


def test_changed_hidden_value_is_found() -> None:
    """Another address under the old salt does not open the commitment, kept or rebuilt."""
    records = small_log()
    assert isinstance(records[2].record, Decision)
    forged = msgspec.structs.replace(records[2].record.hidden, ip_address="203.0.113.43")
    committed = json.loads(LOG["records"][2]["canonical"])["hidden"]
    records[2] = change_decision(records[2], hidden=forged)
    assert verify(records).first_bad == 2
    records[2] = msgspec.structs.replace(records[2], commitments=committed)
    result = verify(records)
    assert [(finding.seq, finding.field) for finding in result.findings] == [(2, "ipAddress")]


def test_missing_value_without_an_erasure_is_found() -> None:
    """Salt and value gone, commitment kept: tampering, unless an erasure is on record."""
    records = small_log()
    committed = json.loads(LOG["records"][2]["canonical"])["hidden"]
    records[2] = msgspec.structs.replace(change_decision(records[2], hidden=Hidden()), salt=b"", commitments=committed)
    assert {finding.field for finding in verify(records).findings} == {"ipAddress", "user"}
    assert verify(records).first_bad == 2
    excused = verify_log(
        records,
        head_of(small_log()),
        parse_origin(LOG["origin"]),
        erased=lambda seq, field: seq == 2 and field != "user",
    )
    assert [finding.field for finding in excused.findings] == ["user"]


def test_time_that_goes_back_is_found() -> None:
    """A record before its predecessor is found though hashes and head were made anew."""
    records = small_log()
    backdated = prepare(records[3].record).complete(3, records[2].log_time - 1)
    records[3] = parse_record(backdated)
    head = Head(4, records[2].log_time, extend_frontier(0, (), [record.leaf_hash for record in records]))
    result = verify(records, head)
    assert [(finding.seq, finding.field) for finding in result.findings] == [(3, "timestamp")]


def test_checkpoint_with_a_second_base64_form_is_refused() -> None:
    """Unused bits of the root line must be zero, or one root would have several texts."""
    text = VECTORS["checkpoint"]["text"]
    assert text.endswith("e0I=\n")
    with pytest.raises(InvalidNote, match="canonical"):
        parse_checkpoint(text.replace("e0I=", "e0J="))


def test_redone_head_without_the_secret_is_found() -> None:
    """Rows, hashes and frontier redone from outside do not carry the seal."""
    keys = LogKeys(SECRET, parse_origin(LOG["origin"]))
    sealed = bytes.fromhex(VECTORS["headSeal"]["seal"])
    records = small_log()[:3]
    forged = change_decision(records[2], allowed=True)
    records[2] = msgspec.structs.replace(forged, leaf_hash=leaf_hash(record_bytes(forged)))
    assert verify(records, head_of(records)).ok
    with pytest.raises(IntegrityError):
        check_seal(head_of(records), keys.head_key, sealed)


def test_second_member_of_a_name_is_refused() -> None:
    """Bytes that say `allowed` twice are not a record."""
    data = LOG["records"][1]["canonical"].encode()
    parse_record(data)
    with pytest.raises(InvalidRecord, match="canonical"):
        parse_record(data.replace(b'{"allowed":true', b'{"allowed":false,"allowed":true'))
