"""Signing secrets and signatures."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis.strategies import binary, booleans, text
from standardwebhooks import Webhook

from scriba.delivery.secret import KeptSecret, SecretBox, check_secret, decode_secret, generate_secret, is_weak
from scriba.delivery.signature import sign, signed_headers
from scriba.domain.secret import Secret
from scriba.errors import IntegrityError, InvalidInput

VECTOR_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
VECTOR_ID = "evt_01jh8q3v5n8m2c7k4x9r0t6w1y"
VECTOR_BODY = (
    b'{"id":"evt_01jh8q3v5n8m2c7k4x9r0t6w1y","type":"governance.request.blocked","timestamp":"2025-01-10T14:31:00Z",'
    b'"data":{"requestId":"req_uvw123","model":"deepseek-chat","provider":"deepseek","policyId":"gpol_xxx","policyName":'
    b'"Production - HIPAA","violations":["China-based provider blocked"],"ipAddress":"203.0.113.42"}}'
)


def test_the_signature_is_that_of_the_standard() -> None:
    """Promise: a fixed message has the signature that other implementations give it."""
    assert len(VECTOR_BODY) == 319
    signature = sign([VECTOR_SECRET], VECTOR_ID, 1736519462, VECTOR_BODY)
    assert signature == "v1,5C/9QXSKQv1VCSjVuYFr1nBODGeOrTCP6wzEzz+vqZg="


def test_all_secrets_sign_in_one_header() -> None:
    """Promise: while a secret is replaced, receivers with either one verify."""
    fresh = generate_secret()
    both = sign([fresh, VECTOR_SECRET], VECTOR_ID, 1736519462, VECTOR_BODY)
    assert both.split(" ")[1] == "v1,5C/9QXSKQv1VCSjVuYFr1nBODGeOrTCP6wzEzz+vqZg="
    assert both.split(" ")[0] == sign([fresh], VECTOR_ID, 1736519462, VECTOR_BODY)


def test_both_sets_of_headers_say_the_same() -> None:
    """Promise: receivers of Standard Webhooks and of case.dev find the same three values."""
    headers = signed_headers([VECTOR_SECRET], VECTOR_ID, 1736519462, VECTOR_BODY)
    for name in ("id", "timestamp", "signature"):
        assert headers[f"webhook-{name}"] == headers[f"case-webhook-{name}"]
    assert "webhook-replay" not in headers
    assert signed_headers([VECTOR_SECRET], VECTOR_ID, 0, b"", replay=True)["webhook-replay"] == "true"


@pytest.mark.parametrize("secret", ["whsec_xxx", "whsec_xxx=", "xxx", "whsec_" + base64.b64encode(b"k" * 23).decode()])
def test_a_short_secret_is_weak_but_works(secret: str) -> None:
    """Promise: the sample of the contract is taken, with a warning, unless the operator wants strong ones."""
    check_secret(secret, "secret", strong=False)
    assert is_weak(secret)
    with pytest.raises(InvalidInput, match="fewer than 24"):
        check_secret(secret, "secret", strong=True)


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_a", "whsec_abcde", "whsec_xxx_", "my secret", "hunter2!", "whsec_ab-d", "whsec_ab/d\n",
     "whsec_é", "whsec_x=xx", "whsec_====", "whsec_" + base64.b64encode(b"k" * 65).decode()],
)  # fmt: skip
def test_a_secret_that_others_would_decode_differently_is_refused(secret: str) -> None:
    """Promise: what is taken is the same key in every language; what is not is told with the rule."""
    with pytest.raises(InvalidInput) as caught:
        check_secret(secret, "signingSecret", strong=False)
    assert caught.value.param == "signingSecret"
    assert "whsec_" in str(caught.value)


@given(key=binary(min_size=24, max_size=64), padded=booleans(), prefixed=booleans())
def test_a_good_secret_is_the_key_that_the_public_library_uses(key: bytes, *, padded: bool, prefixed: bool) -> None:
    """Promise: we sign with the key that receivers verify with."""
    bare = base64.b64encode(key).decode()
    secret = ("whsec_" if prefixed else "") + (bare if padded else bare.rstrip("="))
    check_secret(secret, "secret", strong=True)
    assert decode_secret(secret) == key == Webhook(secret)._whsecret


@given(text())
def test_whatever_is_taken_can_sign(secret: str) -> None:
    """Promise: a secret that was accepted never fails when a message is signed."""
    try:
        check_secret(secret, "secret", strong=False)
    except InvalidInput:
        return
    assert Webhook(secret)._whsecret == decode_secret(secret)
    sign([secret], "evt_1", 0, b"{}")


def test_generated_secrets_are_strong_and_differ() -> None:
    """Promise: a secret that we make has 256 bits."""
    assert len(decode_secret(generate_secret())) == 32
    assert generate_secret() != generate_secret()


def test_secrets_are_encrypted_for_their_endpoint_alone() -> None:
    """Promise: the database holds no secret, and no row can borrow another's."""
    box = SecretBox(Secret(b"k" * 32))
    kept = (KeptSecret(VECTOR_SECRET), KeptSecret("whsec_xxx", 5))
    sealed = box.seal("evsub_1", kept)
    assert VECTOR_SECRET.encode() not in sealed
    assert box.open("evsub_1", sealed) == kept
    assert VECTOR_SECRET not in repr(kept)
    for endpoint, changed in (
        ("evsub_2", sealed),
        ("evsub_1", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        ("evsub_1", b""),
    ):
        with pytest.raises(IntegrityError):
            box.open(endpoint, changed)
