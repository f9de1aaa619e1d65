"""Signed notes, keys and checkpoints from untrusted hands."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriba.merkle.note import (
    Checkpoint,
    InvalidNote,
    Signer,
    decode_base64,
    encode_base64,
    open_note,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    sign_note,
)

SIGNER = Signer("example.com/log", bytes(32))
OTHER = Signer("example.com/log", bytes([1]) * 32)
TEXT = "one\n\ntwo\n"
NOTE = sign_note(TEXT, [SIGNER])
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def resigned(value: bytes) -> bytes:
    """Return the note with another signature of the same key."""
    line = encode_base64(SIGNER.verifier.key_id + value)
    return f"{TEXT}\n— example.com/log {line}\n".encode()


def test_a_note_opens_with_its_text() -> None:
    """The text, empty lines included, comes out as it was signed."""
    note = open_note(NOTE.encode(), [OTHER.verifier, SIGNER.verifier])
    assert note.text == TEXT
    assert str(note) == NOTE


def test_a_private_key_never_shows() -> None:
    """The seed is in no form of the signer that could reach a log."""
    assert repr(SIGNER) == "Signer('example.com/log')"
    assert not hasattr(SIGNER, "__dict__")


def test_a_note_of_a_stranger_is_refused() -> None:
    """Name alone is not enough: the key must be known too."""
    with pytest.raises(InvalidNote, match="known key"):
        open_note(NOTE.encode(), [OTHER.verifier])
    with pytest.raises(InvalidNote, match="known key"):
        open_note(NOTE.encode(), [])


def test_one_bad_signature_of_a_known_key_spoils_the_note() -> None:
    """A known key's line that does not verify is refused although another one does."""
    note = sign_note(TEXT, [SIGNER, OTHER]).encode()
    good = open_note(note, [SIGNER.verifier, OTHER.verifier])
    assert len(good.signatures) == 2
    forged = resigned(good.signatures[1].value) + str(good.signatures[1]).encode()
    assert open_note(forged, [OTHER.verifier]).text == TEXT
    with pytest.raises(InvalidNote, match="does not verify"):
        open_note(forged, [SIGNER.verifier, OTHER.verifier])


def test_the_second_form_of_a_signature_is_refused() -> None:
    """S + L verifies by arithmetic, and would give one note two texts."""
    value = parse_note(NOTE.encode()).signatures[0].value
    assert open_note(resigned(value), [SIGNER.verifier]).text == TEXT
    larger = int.from_bytes(value[32:], "little") + GROUP_ORDER
    with pytest.raises(InvalidNote, match="malformed"):
        open_note(resigned(value[:32] + larger.to_bytes(32, "little")), [SIGNER.verifier])
    with pytest.raises(InvalidNote, match="malformed"):
        open_note(resigned(value[:63]), [SIGNER.verifier])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"text\n",
        b"text\n\n",
        b"\xff\n\n" + NOTE.encode(),
        NOTE.encode()[:-1],
        NOTE.encode() + b"\n",
        NOTE.replace("one", "o\tne").encode(),
        NOTE.replace("\n", "\r\n").encode(),
        NOTE.replace("— ", "- ").encode(),
        NOTE.replace("— ", "—  ").encode(),
        NOTE.replace("com/log ", "com+log ").encode(),
        NOTE.replace("com/log ", "com/\N{NO-BREAK SPACE}log ").encode(),
        NOTE.replace("com/log ", "com/log  ").encode(),
        NOTE.replace("=", "").encode(),
        NOTE.encode().replace(b"=\n", b"=\n\xe2\x80\x94 x AAAA\n"),
        TEXT.encode() + b"\n" + NOTE.encode().split(b"\n\n")[-1] * 101,
        b"x" * 1_000_000 + NOTE.encode(),
    ],
    ids=lambda data: repr(data[:20]),
)
def test_malformed_notes_are_refused(data: bytes) -> None:
    """Whatever is not exactly of the form is no note, though a good signature stands in it."""
    with pytest.raises(InvalidNote):
        open_note(data, [SIGNER.verifier])


@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: f"x\n\n— {text}\n".encode(errors="ignore")))
def test_hostile_notes_raise_only_our_error(data: bytes) -> None:
    """No bytes break the reader."""
    with pytest.raises(InvalidNote):
        open_note(data, [SIGNER.verifier])


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "nul\x00\n"])
def test_texts_that_cannot_be_notes_are_not_signed(text: str) -> None:
    """What is signed can be read again."""
    with pytest.raises(InvalidNote):
        sign_note(text, [SIGNER])
    with pytest.raises(InvalidNote):
        sign_note(TEXT, [])


def test_a_vkey_is_cut_at_the_first_two_plus_signs() -> None:
    """Plus signs in the base64 part belong to the key."""
    seeds = (bytes([number]) * 32 for number in range(256))
    verifier = next(
        signer.verifier for signer in (Signer("a", seed) for seed in seeds) if signer.verifier.vkey.count("+") > 2
    )
    assert parse_vkey(verifier.vkey) == verifier


@pytest.mark.parametrize(
    "text",
    [
        "",
        "++",
        "name",
        "name+00000000",
        SIGNER.verifier.vkey.replace("example", "exampl"),
        SIGNER.verifier.vkey.upper(),
        SIGNER.verifier.vkey + "=",
        SIGNER.verifier.vkey[:-4],
        SIGNER.verifier.vkey.replace("+A", "+B"),
        SIGNER.verifier.vkey.replace("example.com", "example com"),
        f"name+00000000+{base64.b64encode(bytes([4]) + bytes(32)).decode()}",
    ],
)
def test_malformed_keys_are_refused(text: str) -> None:
    """A key of another name, id, type or length is no key."""
    with pytest.raises(InvalidNote):
        parse_vkey(text)


@given(st.text(max_size=80))
def test_hostile_keys_raise_only_our_error(text: str) -> None:
    """No text breaks the reader of keys, checkpoints or base64."""
    for read in (parse_vkey, parse_checkpoint):
        with pytest.raises(InvalidNote):
            read(text)
    try:
        assert encode_base64(decode_base64(text)) == text
    except InvalidNote:
        assert text


@given(st.binary(max_size=70))
def test_base64_has_one_form(data: bytes) -> None:
    """What is encoded is decoded, and any other ending of it is not."""
    text = encode_base64(data)
    assert decode_base64(text) == data
    for other in (text + "\n", text + "=", " " + text, text.rstrip("=") + "=" * 3):
        with pytest.raises(InvalidNote):
            decode_base64(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n4\n",
        "log\n4\nAAAA\n",
        f"log\n4\n{encode_base64(bytes(32))}",
        f"log\n04\n{encode_base64(bytes(32))}\n",
        f"log\n+4\n{encode_base64(bytes(32))}\n",
        f"log\n-1\n{encode_base64(bytes(32))}\n",
        f"log\n٤\n{encode_base64(bytes(32))}\n",
        f"log\n{10**19}\n{encode_base64(bytes(32))}\n",
        f"\n4\n{encode_base64(bytes(32))}\n",
        f"log\n4\n{encode_base64(bytes(32))}\nextension\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    """A checkpoint has exactly three lines and one way to write each."""
    with pytest.raises(InvalidNote):
        parse_checkpoint(text)


def test_a_checkpoint_reads_back() -> None:
    """Size 0 is a checkpoint too."""
    for checkpoint in (Checkpoint("log", 0, bytes(32)), Checkpoint("log", 2**53, bytes([255]) * 32)):
        assert parse_checkpoint(str(checkpoint)) == checkpoint
