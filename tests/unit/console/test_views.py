"""The pages over HTTP: who may see what, what every answer carries, and what a form may do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

import httpx2
import pytest
from tests.asking import ask

from scriba.errors import StoreUnreachable
from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Running, Tenant

STRICT = {"blockChinaProviders": True, "enforcement": "hard_block"}
PAGES = ("/", "/how-it-is-verified", "/login/nothing", "/entries/audit_nothing", "/console/newest", "/?show=nothing")


@pytest.fixture
def tenant(server: Running) -> Tenant:
    """Make an organisation with one refused request in its log."""
    tenant = server.tenant(STRICT)
    assert ask(server.url, tenant.app, {"model": "deepseek-chat", "messages": []}).status == 403
    return tenant


@pytest.fixture
def browser(server: Running) -> Iterator[httpx2.Client]:
    """Open a client that keeps cookies and follows nothing."""
    with httpx2.Client(base_url=server.url) as client:
        yield client


def sign_in(browser: httpx2.Client, key: str, **fields: str) -> httpx2.Response:
    """Send the form of the sign-in page."""
    return browser.post("/login", data={"key": key, **fields})


def csrf_of(page: str) -> str:
    """Return the token in the sign-out form."""
    match = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert match is not None
    return match[1]


def entry_of(server: Running, tenant: Tenant) -> str:
    """Return the address of the tenant's entry."""
    return f"/entries/{server.decisions(tenant.id)[0].id}"


def test_nobody_sees_an_entry_without_signing_in(server: Running, tenant: Tenant, browser: httpx2.Client) -> None:
    """Without a session every page that could show an entry shows how to sign in, and nothing of the log."""
    for path, status in (("/", 200), ("/console/newest", 401), (entry_of(server, tenant), 401)):
        answer = browser.get(path)
        assert answer.status_code == status
        assert "Sign in" in answer.text
        assert "deepseek" not in answer.text


def test_a_key_opens_a_session(server: Running, tenant: Tenant, browser: httpx2.Client) -> None:
    """Auditors and admins exchange their key for a cookie that scripts and other sites cannot use."""
    _, admin = server.services.control.create_key(tenant.id, role=Role.ADMIN, actor=COMMAND_LINE)
    for key in (tenant.auditor, f"  {admin}\n"):
        answer = sign_in(browser, key)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        assert key.strip() not in cookie
        assert "Blocked" in browser.get("/").text


@pytest.mark.parametrize("role", [Role.APP, Role.INGEST])
def test_a_key_that_may_not_read_is_told_so(
    server: Running, tenant: Tenant, browser: httpx2.Client, role: Role
) -> None:
    """A key that may call models opens no log, and its owner learns which key would."""
    _, key = server.services.control.create_key(tenant.id, role=role, actor=COMMAND_LINE)
    answer = sign_in(browser, key)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert "auditor" in answer.text
    assert ("may call models, but not read the log" in answer.text) is (role is Role.APP)


@pytest.mark.parametrize("key", ["", "sk_scriba_wrong", "\u202e\x00é"])
def test_a_wrong_key_opens_nothing(browser: httpx2.Client, key: str) -> None:
    """Whatever is pasted: without a good key there is no session."""
    answer = sign_in(browser, key)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "This API key is not known" in answer.text


def test_signing_in_leads_back_to_the_entry_that_was_asked_for(
    server: Running, tenant: Tenant, browser: httpx2.Client
) -> None:
    """Who follows the address in a refusal signs in on the way and arrives."""
    path = entry_of(server, tenant)
    assert f'name="next" value="{path}"' in browser.get(path).text
    assert sign_in(browser, tenant.auditor, next=path).headers["location"] == path
    assert "Blocked" in browser.get(path).text


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/entries/", "/login", "entries/x", "\\"])
def test_signing_in_leads_nowhere_else(tenant: Tenant, browser: httpx2.Client, target: str) -> None:
    """A forged form cannot send a visitor to another site."""
    assert sign_in(browser, tenant.auditor, next=target).headers["location"] == "/"


def test_a_link_opens_once(server: Running, tenant: Tenant, browser: httpx2.Client) -> None:
    """The first visit signs in; a second one says kindly that the link is used up."""
    key_id = server.services.authenticator.identify(tenant.auditor).key_id
    link = f"/login/{server.services.sessions.link(key_id)}"
    answer = browser.get(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Blocked" in browser.get("/").text
    again = httpx2.get(f"{server.url}{link}")
    assert again.status_code == 401
    assert "This link was used already or has expired" in again.text
    assert "set-cookie" not in again.headers


def test_looking_ahead_does_not_use_up_a_link(server: Running, tenant: Tenant, browser: httpx2.Client) -> None:
    """Neither HEAD nor a browser that prefetches redeems a link."""
    key_id = server.services.authenticator.identify(tenant.auditor).key_id
    link = f"/login/{server.services.sessions.link(key_id)}"
    for answer in (browser.head(link), browser.get(link, headers={"Sec-Purpose": "prefetch;prerender"})):
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
    assert browser.get(link).status_code == 303


def test_a_session_ends_with_its_key(server: Running, tenant: Tenant, browser: httpx2.Client) -> None:
    """A revoked key opens nothing more, also where it is already signed in."""
    sign_in(browser, tenant.auditor)
    control = server.services.control
    key_id = server.services.authenticator.identify(tenant.auditor).key_id
    control.revoke_key(tenant.id, key_id, actor=COMMAND_LINE)
    answer = browser.get("/")
    assert answer.status_code == 401
    assert "revoked" in answer.text
    assert "deepseek" not in answer.text


def test_a_forged_cookie_is_no_session(browser: httpx2.Client) -> None:
    """A cookie that was not made here opens nothing."""
    for value in ("x", "key_1.99999999999999999.00", "..", "key_1.x.y"):
        answer = browser.get("/", headers={"Cookie": f"scriba_session={value}"})
        assert answer.status_code == 401
        assert "The session is over" in answer.text


def test_signing_out_takes_the_token_of_the_session(tenant: Tenant, browser: httpx2.Client) -> None:
    """Only a form of the session's own page ends it."""
    sign_in(browser, tenant.auditor)
    csrf = csrf_of(browser.get("/").text)
    for forged in ("", "0" * 64):
        assert browser.post("/logout", data={"csrf": forged}).status_code == 403
    assert "Blocked" in browser.get("/").text
    assert browser.post("/logout", data={"csrf": csrf}).headers["location"] == "/"
    assert "Blocked" not in browser.get("/").text


def test_a_copied_cookie_is_worth_nothing_after_signing_out(tenant: Tenant, browser: httpx2.Client) -> None:
    """Signing out ends the session itself, not only this browser's memory of it; other sessions go on."""
    sign_in(browser, tenant.auditor)
    other = {"Cookie": f"scriba_session={browser.cookies['scriba_session']}"}
    browser.cookies.clear()
    sign_in(browser, tenant.auditor)
    copied = {"Cookie": f"scriba_session={browser.cookies['scriba_session']}"}
    browser.post("/logout", data={"csrf": csrf_of(browser.get("/").text)})
    answer = browser.get("/", headers=copied)
    assert answer.status_code == 401
    assert "The session is over" in answer.text
    assert "Blocked" in browser.get("/", headers=other).text


def test_a_form_from_another_site_is_refused(tenant: Tenant, browser: httpx2.Client) -> None:
    """Nobody can be signed in to somebody else's organisation by a page elsewhere."""
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 303)):
        answer = browser.post("/login", data={"key": tenant.auditor}, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == status
        assert ("set-cookie" in answer.headers) is (status == 303)


def test_a_form_that_is_too_large_is_not_read(browser: httpx2.Client) -> None:
    """Nobody fills the memory through a form."""
    assert sign_in(browser, "x" * 100_000).status_code == 413


def test_every_page_carries_its_protection(tenant: Tenant, browser: httpx2.Client) -> None:
    """No page may be framed, cached, load from elsewhere, or pass its address on, signed in or not."""
    for _ in range(2):
        for path in PAGES:
            headers = browser.get(path).headers
            policy = set(headers["content-security-policy"].split("; "))
            assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= policy
            assert {"form-action 'self'", "base-uri 'none'"} <= policy
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"
        sign_in(browser, tenant.auditor)


def test_no_page_has_a_script_or_a_style_of_its_own(server: Running, tenant: Tenant, browser: httpx2.Client) -> None:
    """Scripts and styles come from files alone, as the policy demands."""
    sign_in(browser, tenant.auditor)
    for path in (*PAGES, entry_of(server, tenant)):
        page = browser.get(path).text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
        assert all(tag.startswith('<script type="module" src=') for tag in re.findall(r"<script[^>]*>", page))


def test_files_are_kept_for_ever_under_the_hash_of_their_content(browser: httpx2.Client) -> None:
    """A browser asks for a file once; another content has another address."""
    paths = re.findall(r'(?:href|src)="(/console/static/[^"]+)"', browser.get("/").text)
    assert {path.rpartition("/")[2] for path in paths} == {"console.css", "icon.svg"}
    for path in paths:
        answer = browser.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert browser.get("/console/static/0123456789abcdef/console.css").status_code == 404
    assert browser.get(paths[0].rpartition("/")[0] + "/..%2fviews.py").status_code == 404


def test_an_unchanged_log_is_not_rendered_again(server: Running, tenant: Tenant, browser: httpx2.Client) -> None:
    """What polls gets 304 until there is something new, and then all of it."""
    sign_in(browser, tenant.auditor)
    browser.get("/")
    first = browser.get("/console/newest")
    assert first.status_code == 200
    same = browser.get("/console/newest", headers={"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    ask(server.url, tenant.app, {"model": "deepseek-reasoner", "messages": []})
    fresh = browser.get("/console/newest", headers={"If-None-Match": first.headers["etag"]})
    assert fresh.status_code == 200
    assert "deepseek-reasoner" in fresh.text


def test_a_page_with_every_entry_does_not_speak_of_more(
    server: Running, tenant: Tenant, browser: httpx2.Client
) -> None:
    """Only a longer log has entries that the page does not show."""
    sign_in(browser, tenant.auditor)
    held = browser.get("/console/newest").text.count("data-entry=")
    for _ in range(50 - held):
        ask(server.url, tenant.app, {"model": "deepseek-chat", "messages": []})
    for entries, speaks in ((50, False), (51, True)):
        page = browser.get("/console/newest").text
        assert page.count("data-entry=") == 50, entries
        assert ("This page shows the newest 50" in page) is speaks
        ask(server.url, tenant.app, {"model": "deepseek-chat", "messages": []})


def test_the_list_can_be_narrowed(server: Running, tenant: Tenant, browser: httpx2.Client) -> None:
    """The choices show what they say; there are no others."""
    ask(server.url, tenant.app, {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello"}]})
    sign_in(browser, tenant.auditor)
    for show, models in (("allowed", {"sandbox/echo"}), ("blocked", {"deepseek-chat"})):
        page = browser.get("/console/newest", params={"show": show}).text
        assert {model for model in ("sandbox/echo", "deepseek-chat") if model in page} == models
    assert browser.get("/", params={"show": "warned"}).status_code == 404


def test_the_entry_of_another_organisation_is_not_there(
    server: Running, tenant: Tenant, browser: httpx2.Client
) -> None:
    """It answers exactly as an entry that does not exist."""
    sign_in(browser, server.tenant().auditor)
    path = entry_of(server, tenant)
    theirs, missing = browser.get(path), browser.get("/entries/audit_missing")
    assert theirs.status_code == missing.status_code == 404
    assert theirs.text.replace(path.rpartition("/")[2], "audit_missing") == missing.text


def test_how_it_is_verified_is_told_to_everybody_in_ten_plain_sentences(browser: httpx2.Client) -> None:
    """The explanation needs no sign-in and no word of the trade."""
    page = browser.get("/how-it-is-verified").text
    sentences = re.findall(r"<li>(.*?)</li>", page)
    assert len(sentences) == 10
    assert all(re.fullmatch(r"[^.]+\.", re.sub(r"<[^>]+>", "", sentence)) for sentence in sentences)
    assert not re.search(r"merkle|leaf|jcs|\bnode\b", page, re.IGNORECASE)


def test_who_has_signed_in_sees_the_fingerprints(tenant: Tenant, browser: httpx2.Client) -> None:
    """The explanation names the logs of the visitor, their sizes and fingerprints."""
    sign_in(browser, tenant.auditor)
    page = browser.get("/how-it-is-verified").text
    assert re.findall(r'<th scope="row">(\w+)</th><td class="number">(\d+)</td>', page) == [
        ("requests", "2"),
        ("imports", "1"),
        ("admin", "4"),
    ]
    assert f"scriba verify --org {tenant.name}" in page


def test_a_database_that_does_not_answer_is_said_in_words(
    server: Running, tenant: Tenant, browser: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visitor learns what is wrong and when to come back; no traceback leaves the server."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise StoreUnreachable("The database cannot be used: disk I/O error.")

    sign_in(browser, tenant.auditor)
    monkeypatch.setattr(server.services.audit_log, "newest", fail)
    answer = browser.get("/")
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert "disk I/O error" in answer.text
    assert "Traceback" not in answer.text


def test_a_report_for_who_has_signed_in(tenant: Tenant, browser: httpx2.Client) -> None:
    """Promise: the page asks for a period and answers with the report, of the visitor's organisation alone."""
    assert "deepseek" not in browser.get("/reports?period=2025").text
    assert browser.get("/reports").status_code == 401
    sign_in(browser, tenant.auditor)
    month = re.search(r'name="period"[^>]* value="([0-9-]+)"', browser.get("/reports").text)
    assert month is not None
    report = browser.get("/reports", params={"period": month[1], "format": "html"})
    assert "Compliance report" in report.text
    assert "deepseek-chat" in report.text
    assert "script-src" not in report.headers["content-security-policy"]
    assert report.headers["cache-control"] == "no-store"
    table = browser.get("/reports", params={"period": month[1], "format": "csv"})
    assert table.headers["content-disposition"].startswith("attachment; ")
    assert "summary,,totalRequests,1" in table.text
    wrong = browser.get("/reports", params={"period": "2025-13"})
    assert wrong.status_code == 400
    assert "2025-W03" in wrong.text
