"""Settings come from the defaults, a file and the environment; what is wrong stops the start and says so."""

from __future__ import annotations

from contextlib import closing
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scriba.errors import SettingsError
from scriba.settings import load_settings
from scriba.storage.database import Database

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Load


def test_the_defaults_are_enough(load: Load) -> None:
    """Scriba starts without any setting, on this machine alone and refusing what it cannot log."""
    settings = load()
    assert settings.file is None
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 2728, 1)
    assert settings.database_url == "sqlite:///data/scriba.db"
    assert settings.log_failure == "refuse"
    assert settings.max_body_bytes == 32 * 2**20
    assert settings.drain_seconds == 30
    assert settings.trusted_proxies == ()
    assert {name: provider.enabled for name, provider in settings.providers.items()} == {"sandbox": False}


def test_the_database_and_all_files_follow_the_data_folder(load: Load) -> None:
    """One setting moves everything."""
    settings = load('data_dir = "/srv/scriba"')
    assert settings.database_url == "sqlite:////srv/scriba/scriba.db"
    assert settings.secret_path == Path("/srv/scriba/deployment.secret")
    assert settings.guard_dir == Path("/srv/scriba/guard")
    assert settings.admin_key_path == Path("/srv/scriba/admin.key")
    assert settings.demo_keys_path == Path("/srv/scriba/demo.keys")


def test_the_environment_overrides_the_file_and_the_file_the_defaults(load: Load) -> None:
    """The last source that names a setting wins, for each setting by itself."""
    settings = load('port = 3000\nhost = "0.0.0.0"\n', SCRIBA_PORT="4000")
    assert (settings.host, settings.port, settings.workers) == ("0.0.0.0", 4000, 1)


def test_the_file_is_the_named_one_or_else_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path counts before SCRIBA_CONFIG, and that before scriba.toml of the working directory."""
    monkeypatch.chdir(tmp_path)
    for name, port in (("scriba", 1), ("environment", 2), ("argument", 3)):
        (tmp_path / f"{name}.toml").write_text(f"port = {port}", encoding="utf-8")
    assert load_settings(environ={}).port == 1
    assert load_settings(environ={"SCRIBA_CONFIG": "environment.toml"}).port == 2
    assert load_settings(Path("argument.toml"), {"SCRIBA_CONFIG": "environment.toml"}).port == 3


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    """A mistyped path never means the defaults."""
    missing = tmp_path / "scriba.tmol"
    with pytest.raises(SettingsError, match=r"scriba\.tmol cannot be read: No such file"):
        load_settings(missing, {})


@pytest.mark.parametrize(
    ("text", "param", "says"),
    [
        ("prt = 1", "prt", ["`prt` in scriba.toml is not a setting", "Did you mean port?"]),
        ("[sinks]\nname = true", "sinks", ["`sinks`", "Known are:"]),
        ("[webhooks]\nallow_htp = true", "webhooks.allow_htp", ["`webhooks.allow_htp`", "Did you mean allow_http?"]),
        ('[webhooks]\nallowed_networks = ["x"]', "webhooks.allowed_networks", ["must list addresses or networks"]),
        ("[webhooks]\nallowed_ports = [0]", "webhooks.allowed_ports", ["is not valid"]),
        ("webhooks = 1", "webhooks", ["must be a table"]),
        ('port = "2728"', "port", ["`port` in scriba.toml", "expected a whole number, got text"]),
        ("port = 65536", "port", ["`port`", "<= 65535"]),
        ("workers = 0", "workers", ["`workers`", ">= 1"]),
        ('log_failure = "ignore"', "log_failure", ["must be 'refuse' or 'allow'"]),
        ('trusted_proxies = "10.0.0.0/8"', "trusted_proxies", ["expected a list, got text"]),
        ('trusted_proxies = ["10.0.0.1/8"]', "trusted_proxies", ["10.0.0.1/8 has host bits set"]),
        ('deployment = "Acme"', "deployment", ["lower-case letters"]),
        ('deployment = "acme/eu"', "deployment", ["lower-case letters, digits and .-_ alone"]),
        ('database_url = "mysql://db/scriba"', "database_url", ["sqlite:/// or postgresql://"]),
        ('database_url = "postgresql:/db"', "database_url", ["sqlite:/// or postgresql://"]),
        ('database_url = "sqlite://"', "database_url", ["sqlite:/// or postgresql://"]),
        ('database_url = "sqlite:///"', "database_url", ["would forget the log", "sqlite:///path"]),
        ('database_url = "sqlite:///:memory:"', "database_url", ["would forget the log", "sqlite:///path"]),
        ('database_url = "sqlite:///file:x?mode=memory&uri=true"', "database_url", ["a path alone", "%3F"]),
        ('data_dir = ""', "data_dir", ["length >= 1"]),
        ("port = 1\nhost = x\n", None, ["scriba.toml is not valid TOML", "line 2"]),
    ],
)
def test_a_wrong_setting_names_itself_its_place_and_what_is_right(
    load: Load, text: str, param: str | None, says: list[str]
) -> None:
    """Nobody has to guess what stopped the start."""
    with pytest.raises(SettingsError) as caught:
        load(text)
    assert caught.value.param == param
    for words in says:
        assert words in str(caught.value)


@pytest.mark.parametrize("folder", ["with space", "quest?ion", "per%20cent", "hash#x", "uni-é", "a&b=c", "semi:c@d"])
@pytest.mark.parametrize("absolute", [False, True])
def test_the_database_is_in_the_data_folder_whatever_its_name(
    load: Load, tmp_path: Path, folder: str, *, absolute: bool
) -> None:
    """No character of a path is read as a part of a URL, so that the log is where the other files are."""
    data = tmp_path / folder if absolute else Path(folder)
    settings = load(f'data_dir = "{data}"')
    with closing(Database(settings.database_url)) as database:
        assert database.path == settings.data_dir / "scriba.db" == data / "scriba.db"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://scriba:hunter2@db.example.com/scriba",
        "postgresql://scriba:/hunter2@db.example.com/scriba",
        "postgresql://scriba@db.example.com/scriba?password=hunter2",
        "postgresql://scriba@db.example.com/scriba?sslmode=require&sslpassword=hunter2",
        "postgresql://scriba@db.example.com/scriba?pass%77ord=hunter2",
    ],
)
def test_a_password_has_no_place_in_the_settings_file(load: Load, url: str) -> None:
    """The file can be shown and committed; a URL with a password comes from a variable or a file of its own."""
    with pytest.raises(SettingsError, match="SCRIBA_DATABASE_URL") as caught:
        load(f'database_url = "{url}"')
    assert "hunter2" not in str(caught.value)
    assert load("", SCRIBA_DATABASE_URL=url).database_url == url


def test_a_database_url_may_stand_in_a_file(load: Load, tmp_path: Path) -> None:
    """As container platforms hand secrets over, with or without a newline."""
    (tmp_path / "url").write_text("postgresql://scriba:hunter2@db/scriba\n", encoding="utf-8")
    assert load('database_url_file = "url"').database_url == "postgresql://scriba:hunter2@db/scriba"
    with pytest.raises(SettingsError, match="both set"):
        load('database_url_file = "url"\ndatabase_url = "sqlite:///x.db"')
    with pytest.raises(SettingsError, match=r"`database_url_file` in scriba\.toml cannot be read"):
        load('database_url_file = "nowhere"')


def test_trusted_proxies_are_networks(load: Load) -> None:
    """An address is a network of one."""
    settings = load('trusted_proxies = ["10.0.0.0/8", "::1"]')
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
