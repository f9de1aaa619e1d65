"""Receivers verify what is sent with the public libraries of Standard Webhooks, in Python and in JavaScript."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from standardwebhooks import Webhook

from scriba.delivery.secret import generate_secret
from scriba.delivery.signature import signed_headers

PACKAGES: Final = Path(__file__).with_name("npm") / "node_modules"
NODE: Final = Path(sys.executable).with_name("node")
SECONDS: Final = 60
SCRIPT: Final = """
const { Webhook } = require("standardwebhooks");
const { secret, body, headers } = JSON.parse(require("fs").readFileSync(0, "utf8"));
try {
  console.log(JSON.stringify({ data: new Webhook(secret).verify(Buffer.from(body, "base64").toString(), headers) }));
} catch (error) {
  console.log(JSON.stringify({ error: error.name }));
}
"""
BODY: Final = '{"id":"evt_1","type":"webhook.test","data":{"policyName":"Prüfung · 審査 😀"}}'.encode()


def verify_in_javascript(secret: str, body: bytes, headers: dict[str, str]) -> Any:
    """Have the JavaScript library verify a message."""
    given = {"secret": secret, "body": base64.b64encode(body).decode(), "headers": headers}
    done = subprocess.run(
        [NODE, "-e", SCRIPT],
        env={**os.environ, "NODE_PATH": str(PACKAGES)},
        input=json.dumps(given).encode(),
        capture_output=True,
        timeout=SECONDS,
        check=True,
    )
    return json.loads(done.stdout)


def headers_now(secrets: list[str], body: bytes = BODY, *, seconds: int = 0) -> dict[str, str]:
    """Sign a message as of now."""
    return signed_headers(secrets, "evt_1", int(time.time()) + seconds, body)


def test_javascript_verifies_what_we_sign() -> None:
    """Promise: the public JavaScript library takes our signatures, also during a rotation, for any text."""
    older, newer = generate_secret(), generate_secret()
    headers = headers_now([newer, older])
    for secret in (older, newer):
        assert verify_in_javascript(secret, BODY, headers) == {"data": json.loads(BODY)}


def test_javascript_refuses_what_is_not_so() -> None:
    """Promise: the check above can fail: another body, another secret, an old timestamp."""
    secret = generate_secret()
    refused = {"error": "WebhookVerificationError"}
    assert verify_in_javascript(secret, BODY + b" ", headers_now([secret])) == refused
    assert verify_in_javascript(generate_secret(), BODY, headers_now([secret])) == refused
    assert verify_in_javascript(secret, BODY, headers_now([secret], seconds=-400)) == refused


def test_python_verifies_what_we_sign() -> None:
    """Promise: the public Python library takes our signatures; the sample's short secret works in it as well."""
    for secret in (generate_secret(), "whsec_xxx"):
        assert Webhook(secret).verify(BODY, headers_now([secret])) == json.loads(BODY)
