"""A secret comes out by `reveal` alone."""

from __future__ import annotations

import copy
import pickle

import msgspec
import pytest

from scriba.domain.secret import Secret


@pytest.mark.parametrize("secret", [Secret("hunter2"), Secret(b"hunter2")])
def test_a_secret_does_not_show(secret: Secret[str] | Secret[bytes]) -> None:
    """No way of making text of it gives it away."""
    assert secret.reveal() in {"hunter2", b"hunter2"}
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]}", repr(secret.__dir__())):
        assert "hunter2" not in shown
    assert repr(secret) == "Secret(***)"


def test_a_secret_cannot_be_written_down() -> None:
    """It is neither pickled, nor copied by pickling, nor encoded."""
    secret = Secret("hunter2")
    for serialise in (pickle.dumps, copy.deepcopy, msgspec.json.encode):
        with pytest.raises(TypeError):
            serialise(secret)


def test_secrets_are_equal_by_value() -> None:
    """And never to their value."""
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
