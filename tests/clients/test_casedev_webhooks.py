"""The public `casedev` client manages webhooks, against a running server that really sends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from casedev import BadRequestError, Casedev, ConflictError, NotFoundError, PermissionDeniedError
from tests.asking import ask
from tests.receiver import SECRET, receiving, status
from tests.running import serving, settings_in

from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.receiver import Receiver
    from tests.running import Running

TOML = """
[webhooks]
allowed_networks = ["127.0.0.0/8"]
allow_http = true
allowed_ports = []
[providers.sandbox]
enabled = true
"""
ASKED = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello"}]}


class Tenant(NamedTuple):
    """An organisation with its client and keys."""

    client: Any
    admin: str
    auditor: str
    app: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run a server that may send to the loopback."""
    with serving(settings_in(tmp_path_factory.mktemp("webhooks"), TOML)) as server:
        yield server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run a receiver."""
    with receiving() as one:
        yield one


@pytest.fixture
def tenant(running: Running) -> Iterator[Tenant]:
    """Make an organisation of the test's own, with a client that checks what it is answered."""
    made = running.tenant()
    _, admin = running.services.control.create_key(made.id, role=Role.ADMIN, actor=COMMAND_LINE)
    with Casedev(api_key=admin, base_url=running.url, max_retries=0, _strict_response_validation=True) as client:
        yield Tenant(client, admin, made.auditor, made.app)


def create(tenant: Tenant, receiver: Receiver, *filters: str) -> str:
    """Make an endpoint with the client; the receiver learns its secret."""
    made = tenant.client.webhooks.v1.endpoints.create(url=receiver.url, event_type_filters=list(filters or ("*",)))
    receiver.secrets.append(made.signing_secret)
    return str(made.endpoint.id)


def deliveries(tenant: Tenant, **filters: Any) -> list[dict[str, Any]]:
    """List deliveries with the client."""
    found: list[dict[str, Any]] = tenant.client.webhooks.v1.deliveries.with_raw_response.list(**filters).json()[
        "deliveries"
    ]
    return found


def test_an_endpoint_from_making_to_deletion(tenant: Tenant, receiver: Receiver) -> None:
    """Promise: every method of the client's endpoints works, with the names and shapes that it knows."""
    endpoints = tenant.client.webhooks.v1.endpoints
    made = endpoints.create(
        url=receiver.url,
        event_type_filters=["governance.request.*"],
        description="SIEM",
        resource_scopes={"vault_ids": [], "matter_ids": []},
    )
    assert made.signing_secret.startswith("whsec_")
    assert (made.endpoint.status, made.endpoint.url, made.endpoint.description) == ("active", receiver.url, "SIEM")
    assert made.endpoint.event_type_filters == ["governance.request.*"]
    assert made.endpoint.has_previous_signing_secret is False
    one = made.endpoint.id
    two = create(tenant, receiver)
    listed = endpoints.with_raw_response.list(limit=5, status="active")
    assert [each["id"] for each in listed.json()["endpoints"]] == [two, one]
    assert listed.json()["pagination"] == {"total": 2, "limit": 5, "offset": 0, "hasMore": False}
    assert "whsec_" not in listed.text()
    changed = endpoints.with_raw_response.update(one, description=None, status="disabled").json()["endpoint"]
    assert (changed["description"], changed["status"], changed["url"]) == (None, "disabled", receiver.url)
    assert endpoints.with_raw_response.retrieve(one).json()["endpoint"] == changed
    assert [e["id"] for e in endpoints.with_raw_response.list(status="disabled").json()["endpoints"]] == [one]
    assert endpoints.with_raw_response.delete(one).json() == {"id": one, "deleted": True}
    with pytest.raises(NotFoundError):
        endpoints.retrieve(one)


def test_rotation_and_trial(tenant: Tenant, receiver: Receiver) -> None:
    """Promise: a body without fields is taken; a new secret is shown once; a trial is sent at once and not kept."""
    endpoints = tenant.client.webhooks.v1.endpoints
    one = create(tenant, receiver)
    rotated = endpoints.with_raw_response.rotate_secret(one).json()
    assert rotated["endpoint"]["hasPreviousSigningSecret"] is True
    assert rotated["endpoint"]["previousSigningSecretExpiresAt"] is not None
    at_once = endpoints.with_raw_response.rotate_secret(one, previous_secret_expires_in_sec=0).json()
    assert at_once["endpoint"]["hasPreviousSigningSecret"] is False
    receiver.secrets = [at_once["signingSecret"]]
    result = endpoints.with_raw_response.test(one).json()
    assert (result["delivered"], result["statusCode"], result["error"]) == (True, 200, None)
    receiver.modes["/hook"] = status(503)
    result = endpoints.with_raw_response.test(one, event_type="governance.request.blocked", payload={"a": 1}).json()
    assert (result["delivered"], result["statusCode"], result["error"]) == (False, 503, "status_503")
    assert [(got.json["type"], got.json["data"]) for got in receiver.came] == [
        ("webhook.test", {}),
        ("governance.request.blocked", {"a": 1}),
    ]
    assert deliveries(tenant) == []


def test_a_request_is_delivered_and_replayed(tenant: Tenant, receiver: Receiver, running: Running) -> None:
    """Promise: what the gateway decides arrives, signed; its delivery is listed, read, and sent again on request."""
    one = create(tenant, receiver, "governance.request.*")
    assert ask(running.url, tenant.app, ASKED).status == 200
    (got,) = receiver.wait_for(1)
    assert got.json["type"] == "governance.request.allowed"
    assert got.json["occurred_at"] == got.json["timestamp"]
    delivered: list[dict[str, Any]] = []
    while not delivered:
        delivered = deliveries(tenant, endpoint_id=one, status="delivered", limit=5)
    assert (delivered[0]["eventId"], delivered[0]["attemptCount"]) == (got.json["id"], 1)
    resource = tenant.client.webhooks.v1.deliveries
    whole = resource.with_raw_response.retrieve(delivered[0]["id"]).json()["delivery"]
    assert whole["event"] == got.json
    again = resource.with_raw_response.replay(delivered[0]["id"])
    assert again.status_code == 202
    assert again.json()["delivery"]["replay"] is True
    second = receiver.wait_for_requests(2)[1]
    assert second.body == got.body
    assert second.headers["webhook-replay"] == "true"
    with pytest.raises(BadRequestError):
        resource.replay(delivered[0]["id"], payload={"other": True})
    assert receiver.refused == []


def test_event_types(tenant: Tenant) -> None:
    """Promise: the list names every event, with scope, resource and stability."""
    types = tenant.client.webhooks.v1.event_types.with_raw_response.list().json()["eventTypes"]
    assert len(types) == 9
    assert all(set(each) == {"type", "description", "scope", "resource", "stability"} for each in types)


def test_bodies_may_be_missing_altogether(tenant: Tenant, receiver: Receiver, running: Running) -> None:
    """Promise: no body is the same as an empty object, and a DELETE may declare JSON and have none."""
    one = create(tenant, receiver)
    path = f"/webhooks/v1/endpoints/{one}"
    assert ask(running.url, tenant.admin, b"", path=f"{path}/rotate_secret").status == 200
    assert ask(running.url, tenant.admin, b"", path=f"{path}/test").status == 200
    assert ask(running.url, tenant.admin, b"", path=path, method="DELETE").status == 200


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"url": "https://127.0.0.1:1/"}, None),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"url": "https://localhost/"}, "url"),
        ({"url": ""}, "url"),
        ({"events": ["nothing.*"]}, "events[0]"),
        ({"secret": "hunter2!"}, "secret"),
        ({"name": "x"}, "name"),
    ],
)
def test_the_short_form_checks_what_it_is_given(
    tenant: Tenant, running: Running, fields: dict[str, Any], param: str | None
) -> None:
    """Promise: what is wrong is 400 and named; the weak sample secret is taken with a warning and shown as given."""
    body = {"url": "http://127.0.0.1:9/", "events": ["*"], "secret": SECRET} | fields
    answer = ask(running.url, tenant.admin, body, path="/webhooks")
    if param is None:
        assert answer.status == 201
        made = json.loads(answer.body)
        assert (made["signingSecret"], made["warnings"]) == (SECRET, ["weak_secret"])
    else:
        assert (answer.status, answer.error["param"]) == (400, param)


def test_a_repeated_request_makes_one_endpoint(tenant: Tenant, running: Running) -> None:
    """Promise: with an Idempotency-Key the same request is answered as before, secret and all; another is refused."""
    body = {"url": "http://127.0.0.1:9/", "events": ["*"]}
    named = [("Idempotency-Key", "once")]
    first, second = (ask(running.url, tenant.admin, body, named, path="/webhooks") for _ in range(2))
    assert (first.status, first.body) == (201, second.body)
    other = ask(running.url, tenant.admin, body | {"events": ["webhook.test"]}, named, path="/webhooks")
    assert other.status == 409
    assert tenant.client.webhooks.v1.endpoints.with_raw_response.list().json()["pagination"]["total"] == 1


def test_an_auditor_reads_and_changes_nothing(tenant: Tenant, receiver: Receiver, running: Running) -> None:
    """Promise: reading takes the role auditor, changing the role admin."""
    one = create(tenant, receiver)
    with Casedev(api_key=tenant.auditor, base_url=running.url, max_retries=0) as auditor:
        endpoints = auditor.webhooks.v1.endpoints
        assert endpoints.with_raw_response.retrieve(one).status_code == 200
        assert auditor.webhooks.v1.deliveries.with_raw_response.list().status_code == 200
        changes: list[Any] = [endpoints.delete, endpoints.rotate_secret, endpoints.test, endpoints.update]
        for change in changes:
            with pytest.raises(PermissionDeniedError):
                change(one)


def test_another_organisation_finds_nothing(tenant: Tenant, receiver: Receiver, running: Running) -> None:
    """Promise: an id of somebody else is answered like one that does not exist, by every route."""
    one = create(tenant, receiver)
    assert ask(running.url, tenant.app, ASKED).status == 200
    receiver.wait_for(1)
    delivery = deliveries(tenant, endpoint_id=one)[0]["id"]
    stranger = running.tenant()
    _, key = running.services.control.create_key(stranger.id, role=Role.ADMIN, actor=COMMAND_LINE)
    with Casedev(api_key=key, base_url=running.url, max_retries=0) as client:
        endpoints: Any = client.webhooks.v1.endpoints
        others: Any = client.webhooks.v1.deliveries
        for attempt in (
            endpoints.retrieve,
            endpoints.update,
            endpoints.delete,
            endpoints.rotate_secret,
            endpoints.test,
        ):
            with pytest.raises(NotFoundError):
                attempt(one)
        for read in (others.retrieve, others.replay):
            with pytest.raises(NotFoundError):
                read(delivery)
        assert others.with_raw_response.list(endpoint_id=one).json()["deliveries"] == []
        assert endpoints.with_raw_response.list().json()["endpoints"] == []


def test_a_replay_to_an_endpoint_that_is_off_is_a_conflict(
    tenant: Tenant, receiver: Receiver, running: Running
) -> None:
    """Promise: what could not be sent is not promised."""
    one = create(tenant, receiver)
    assert ask(running.url, tenant.app, ASKED).status == 200
    receiver.wait_for(1)
    tenant.client.webhooks.v1.endpoints.update(one, status="disabled")
    delivery = deliveries(tenant, endpoint_id=one)[0]["id"]
    with pytest.raises(ConflictError):
        tenant.client.webhooks.v1.deliveries.replay(delivery)


@pytest.mark.parametrize("query", ["status=on", "limit=0", "endpointId=x", "endpoint_id=,", "status=active"])
def test_queries_of_deliveries_are_strict(tenant: Tenant, running: Running, query: str) -> None:
    """Promise: a mistyped filter is told, and never widens a list."""
    answer = ask(running.url, tenant.admin, b"", path=f"/webhooks/v1/deliveries?{query}", method="GET")
    assert answer.status == 400
    assert answer.error["param"] == query.partition("=")[0]
