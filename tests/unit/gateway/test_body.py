"""Bodies are read strictly, and changed in one place at most."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriba.errors import InvalidInput
from scriba.gateway.body import MAX_NAMES, parse_body

NAMES = ("model", "user")
_SPACE = st.text(" \t\n\r", max_size=3)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def _spelled(draw: st.DrawFn, text: str) -> str:
    """Spell a text as JSON in any of the ways that JSON has."""
    out = []
    for character in text:
        plain = json.dumps(character, ensure_ascii=False)[1:-1]
        escaped = json.dumps(character)[1:-1] if ord(character) > 126 else f"\\u{ord(character):04x}"
        out.append(draw(st.sampled_from([plain, escaped])))
    return f'"{"".join(out)}"'


@st.composite
def _objects(draw: st.DrawFn, *, repeat: bool = False) -> tuple[bytes, str, str, str]:
    """Write an object with a `model` somewhere: its bytes, what stands before and after the value, and the value."""
    members = draw(st.dictionaries(_TEXT.filter(lambda name: name.casefold() not in NAMES), _VALUES, max_size=4))
    model = draw(_TEXT)
    names = [*members, "model"]
    if repeat:
        names.append(draw(st.sampled_from(names)))
    names = draw(st.permutations(names))
    before, after, at = [draw(_SPACE) + "{"], [], False
    for number, name in enumerate(names):
        value = (
            draw(_spelled(model)) if name == "model" else json.dumps(members[name], ensure_ascii=draw(st.booleans()))
        )
        head = f"{draw(_SPACE)}{draw(_spelled(name))}{draw(_SPACE)}:{draw(_SPACE)}"
        tail = draw(_SPACE) + ("," if number < len(names) - 1 else "")
        if name == "model":
            before.append(head)
            after, at = [tail], True
        else:
            (after if at else before).append(head + value + tail)
            continue
        written = value
    end = draw(_SPACE) + "}" + draw(_SPACE)
    start, rest = "".join(before), "".join(after) + end
    return (start + written + rest).encode(), start, rest, model


@given(_objects(), _TEXT)
def test_replacing_the_model_changes_nothing_else(made: tuple[bytes, str, str, str], new: str) -> None:
    """Every byte around the value stays, and the value reads as the new name, however all of it is spelled."""
    raw, before, after, model = made
    body = parse_body(raw, NAMES)
    assert body.raw == raw
    assert body.text("model") == model
    changed = body.replaced("model", new)
    assert changed.startswith(before.encode())
    assert changed.endswith(after.encode())
    assert json.loads(changed) == json.loads(raw) | {"model": new}
    assert json.loads(changed[len(before.encode()) : len(changed) - len(after.encode())]) == new


@given(st.data())
def test_a_repeated_name_is_found_wherever_it_stands(data: st.DataObject) -> None:
    """Whatever the names, values, spellings and places: two members of one name are refused, and it is named."""
    names = data.draw(st.lists(_TEXT, min_size=1, max_size=5, unique=True))
    repeated = data.draw(st.sampled_from(names))
    order = data.draw(st.permutations([*names, repeated]))
    few = st.sampled_from([1, 12, 1.5, "x", "xy", "", None, [], [1], {}, {"a": 1}])
    members = [f"{data.draw(_spelled(name))}: {json.dumps(data.draw(few))}" for name in order]
    with pytest.raises(InvalidInput, match="more than once") as caught:
        parse_body(f"{{{','.join(members)}}}".encode(), ())
    assert caught.value.param == repeated


@given(st.dictionaries(_TEXT.filter(lambda name: name.casefold() not in NAMES), _VALUES))
def test_an_object_without_repeated_names_is_read(members: dict[str, object]) -> None:
    """Strictness refuses nothing that is in order."""
    body = parse_body(json.dumps(members).encode(), NAMES)
    assert all(name in body for name in members)


@given(st.binary(max_size=60) | st.text('{}[]",:\\u0 mode1', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused_with_a_reason(raw: bytes) -> None:
    """No bytes make the reader fail in another way than by its own error, and what it reads is JSON to others too."""
    try:
        parse_body(raw, NAMES)
    except InvalidInput as error:
        refusal: InvalidInput | None = error
    else:
        refusal = None
    assert refusal.param if refusal else isinstance(json.loads(raw), dict)


@pytest.mark.parametrize(
    ("raw", "param", "words"),
    [
        (b"", "body", "not valid JSON: it ends too early"),
        (b"{", "body", "it ends too early"),
        (b'{"model": "a",}', "body", "trailing comma"),
        (b'{"model": "a"} x', "body", "trailing characters"),
        (b'{"model": NaN}', "body", "invalid character"),
        (b'{"model": "a\x00"}', "body", "invalid character"),
        (b"[1]", "body", "must be a JSON object"),
        (b"null", "body", "must be a JSON object"),
        (b'\xef\xbb\xbf{"model": "a"}', "body", "not valid JSON"),
        (b'{"\xff": 1}', "body", "not UTF-8"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "body", "nested too deeply"),
        (b'{"model": "\\ud800"}', "model", "half of a surrogate pair"),
        (b'{"model": "a", "messages": [{"content": "\\udead!"}]}', "messages", "half of a surrogate pair"),
        (b'{"\\ud83d": 1}', "?", "half of a surrogate pair"),
        (b'{"model": "a", "Model": "b"}', "Model", "did you mean `model`?"),
        (b'{"MODEL": "b"}', "MODEL", "did you mean `model`?"),
        ('{"model": "a", "u\u017fer": "b"}'.encode(), "u\u017fer", "did you mean `user`?"),
        (b'{"model": "a", "model": "a"}', "model", "more than once"),
        (b'{"model": "a", "mod\\u0065l": "b"}', "model", "more than once"),
        (b'{"a": 12, "a": 1, "model": "a"}', "a", "more than once"),
        (b'{"a": "x,", "a": 12, "model": "a"}', "a", "more than once"),
    ],
)
def test_what_is_wrong_is_named(raw: bytes, param: str, words: str) -> None:
    """A refused body comes with the field at fault and a reason in words."""
    with pytest.raises(InvalidInput) as caught:
        parse_body(raw, NAMES)
    assert words in str(caught.value)
    assert caught.value.param == param


def test_the_number_of_names_is_bounded() -> None:
    """A body of nothing but names cannot keep the server busy."""
    members = ", ".join(f'"n{number}": 1' for number in range(MAX_NAMES + 1))
    with pytest.raises(InvalidInput, match=f"more than {MAX_NAMES} fields"):
        parse_body(f"{{{members}}}".encode(), NAMES)


def test_names_are_counted_while_they_are_read() -> None:
    """The first name too many ends the reading: what follows, be it megabytes of names, is not even looked at."""
    members = b",".join(b'"n%d":1' % number for number in range(MAX_NAMES))
    assert len(parse_body(b"{%b}" % members, NAMES).raw) > MAX_NAMES
    with pytest.raises(InvalidInput, match=f"more than {MAX_NAMES} fields"):
        parse_body(b'{%b,"one more": and what comes here is no JSON' % members, NAMES)


def test_a_long_name_is_not_repeated_whole() -> None:
    """An error that names a field stays short, however long the name is."""
    with pytest.raises(InvalidInput, match="more than once") as caught:
        parse_body(b'{"%b": 1, "%b": 2}' % (b"n" * 100_000, b"n" * 100_000), NAMES)
    assert caught.value.param is not None
    assert len(caught.value.param) < 200


@pytest.mark.parametrize("value", [b"1", b"[]", b"{}", b"true", b'"\xff"'])
def test_a_value_of_another_type_is_refused(value: bytes) -> None:
    """A model that is no text is refused under its name."""
    with pytest.raises(InvalidInput, match="`model` must be text") as caught:
        parse_body(b'{"model": %b}' % value, NAMES).text("model")
    assert caught.value.param == "model"


@pytest.mark.parametrize("raw", [b"{}", b'{"model": null}', b'{"model": ""}', b'{"a": {"model": "b"}}'])
def test_absent_null_and_empty_are_one(raw: bytes) -> None:
    """A model that is not there reads as empty, and a nested one does not count."""
    assert parse_body(raw, NAMES).text("model") == ""


def test_a_text_within_an_object_is_read() -> None:
    """`metadata.user_id` is Anthropic's user; what is no object or no text there is refused by name."""
    assert parse_body(b'{"metadata": {"user_id": "u"}}', ()).text("metadata.user_id") == "u"
    for raw in (b"{}", b'{"metadata": null}', b'{"metadata": {}}', b'{"metadata": {"user_id": null}}'):
        assert parse_body(raw, ()).text("metadata.user_id") == ""
    for raw in (b'{"metadata": 3}', b'{"metadata": {"user_id": 3}}'):
        with pytest.raises(InvalidInput, match="`metadata"):
            parse_body(raw, ()).text("metadata.user_id")


def test_what_is_null_or_false_says_nothing() -> None:
    """Clients send such fields to say that they do not want them."""
    body = parse_body(b'{"a": null, "b": false, "C": 0, "d": [ ]}', ())
    assert [name for name in "abCd" if body.is_set(name)] == ["C", "d"]
    assert (body.find({"a", "b"}), body.find({"c"}), body.is_set("e")) == ("", "C", False)


def test_objects_in_a_list_are_read_as_strictly_as_a_body() -> None:
    """A name that occurs twice there is as ambiguous as on top."""
    (first, second) = parse_body(b'{"tools": [{"type": "f"}, {}]}', ()).objects("tools", ("type",), "tools")
    assert (first.text("type"), second.text("type")) == ("f", "")
    for raw in (b'[{"type": "f", "type": "mcp"}]', b'[{"Type": "mcp"}]', b"[3]", b"{}", b'"x"'):
        body = parse_body(b'{"tools": %b}' % raw, ())
        with pytest.raises(InvalidInput, match="`tools`") as caught:
            list(body.objects("tools", ("type",), "tools"))
        assert caught.value.param == "tools"


def test_a_field_is_found_in_whatever_letters_fold_to_its_name() -> None:
    """Promise: a letter that some servers take for another, such as the long s, hides no field."""
    body = parse_body('{"model\u017f": ["a"]}'.encode(), ())
    assert body.find({"models"}) == "model\u017f"
