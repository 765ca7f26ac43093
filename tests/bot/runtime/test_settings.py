"""Settings: what is refused, and what must never be printed."""

import pytest

from bot.runtime.settings import (
    Settings,
    SettingsRefused,
    database_url,
    has_own_url,
    hook_of,
    keyring,
    listen_address,
    load_settings,
    role_names,
    secrets_of,
)
from models.base.grants import DatabaseRole, RoleNames


def test_what_must_never_be_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAOCERT_BOT_TOKEN", "1:token")
    monkeypatch.setenv("LAOCERT_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", "old one, older one")
    monkeypatch.setenv("LAOCERT_DATABASE_URL", "postgresql+asyncpg://user:p@ss:word@host/name")
    settings = load_settings()
    assert secrets_of(settings) == ["1:token", "k" * 32, "old one", "older one", "p@ss:word"]
    assert not any(secret in repr(settings) for secret in secrets_of(settings))


def test_it_listens_on_this_machine_unless_set_otherwise() -> None:
    assert listen_address(Settings(_env_file=None)) == ("127.0.0.1", 8081)  # type: ignore[call-arg]


HOST = "host/name"


def urls(**given: str) -> Settings:
    return Settings(**{f"database_{name}": value for name, value in given.items()}, _env_file=None)  # type: ignore[arg-type]


def test_each_role_has_its_url_or_the_first_does_for_it() -> None:
    settings = urls(url=f"postgresql+asyncpg://chat:a@{HOST}", operator_url=f"postgresql+asyncpg://desk:b@{HOST}")
    asked = {role: database_url(settings, role).partition("//")[2].partition(":")[0] for role in DatabaseRole}
    assert asked == {"application": "chat", "operator": "desk", "owner": "chat"}
    assert [has_own_url(settings, role) for role in DatabaseRole] == [True, True, False]
    assert secrets_of(settings) == ["a", "b"]
    # As an empty line of .env sets it.
    assert not has_own_url(urls(owner_url=""), DatabaseRole.OWNER)


def test_the_roles_are_the_users_of_the_urls() -> None:
    chat, desk, owner = (f"postgresql+asyncpg://{user}:secret@{HOST}" for user in ("chat", "desk", "owner"))
    assert role_names(urls(url=chat, operator_url=desk, owner_url=owner)) == RoleNames("owner", "chat", "desk")
    assert role_names(urls(url=chat, owner_url=owner)) == RoleNames("owner", "chat", None)
    assert role_names(urls(url=chat, operator_url=owner, owner_url=owner)) == RoleNames("owner", "chat", None)
    # One role does all.
    assert role_names(urls(url=chat)) is None
    assert role_names(urls(url=owner, owner_url=owner)) is None
    assert role_names(urls(url="sqlite+aiosqlite:///a.db", owner_url="sqlite+aiosqlite:///a.db")) is None
    with pytest.raises(
        SettingsRefused, match="LAOCERT_DATABASE_OPERATOR_URL has the user of LAOCERT_DATABASE_URL"
    ):
        role_names(urls(url=chat, operator_url=chat, owner_url=owner))
    with pytest.raises(
        SettingsRefused, match="LAOCERT_DATABASE_OWNER_URL is not the URL of a database"
    ) as refused:
        role_names(urls(url=chat, owner_url="secret"))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:///a.db", "postgresql+asyncpg://postgres@127.0.0.1:5432/a"])
def test_a_url_without_a_password_hides_nothing(url: str) -> None:
    assert secrets_of(Settings(database_url=url, _env_file=None)) == []  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAOCERT_SECRET_KEY", "short"),
        ("LAOCERT_SECRET_KEY", "with a comma, and more than 32 letters"),
        ("LAOCERT_SECRET_KEY", "\udcff" + "k" * 40),
        ("LAOCERT_OLD_SECRET_KEYS", "\udcff" + "k" * 40),
        ("LAOCERT_LOG_FORMAT", "xml"),
        ("LAOCERT_OPERATOR_CHAT", "somebody"),
        ("LAOCERT_WEBHOOK_SECRET", "with a blank"),
        ("LAOCERT_WEBHOOK_SECRET", "s" * 257),
        ("LAOCERT_WEBHOOK_SECRET", "ความลับ"),
        ("LAOCERT_API_URL", "api.example.org"),
        ("LAOCERT_API_URL", "ftp://api.example.org"),
        ("LAOCERT_API_URL", "https://api.example.org?a=b"),
        ("LAOCERT_API_URL", "https://[::1"),
        ("LAOCERT_API_INSECURE", "perhaps"),
        ("LAOCERT_LISTEN", "8081"),
        ("LAOCERT_LISTEN", "127.0.0.1:70000"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsRefused, match=name) as refused:
        load_settings()
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.org",
        "HTTP://api.example.org",
        "http://10.0.0.1:8081",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "http://127.0.0.1@api.example.org",
    ],
)
def test_a_way_to_the_bot_api_that_others_can_read_must_be_wanted(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("LAOCERT_API_URL", url)
    with pytest.raises(SettingsRefused, match=r"LAOCERT_API_URL: is not https.*set LAOCERT_API_INSECURE=1"):
        load_settings()
    monkeypatch.setenv("LAOCERT_API_INSECURE", "0")
    with pytest.raises(SettingsRefused):
        load_settings()
    monkeypatch.setenv("LAOCERT_API_INSECURE", "1")
    assert load_settings().api_url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.org/bot-api",
        "http://localhost:8081",
        "http://127.0.0.1:8081",
        "http://127.1.2.3",
        "http://[::1]:8081",
    ],
)
def test_https_and_this_machine_need_no_more(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LAOCERT_API_URL", url)
    assert load_settings().api_url == url


@pytest.mark.parametrize(
    ("url", "secret", "fault"),
    [
        ("https://bot.example.org/hook", None, "needs LAOCERT_WEBHOOK_SECRET as well"),
        ("http://bot.example.org/hook", "s3cret", "is not https"),
        ("bot.example.org/hook", "s3cret", "is no URL"),
        ("https://bot.example.org:x/hook", "s3cret", "is no URL"),
        ("https://bot.example.org/metrics", "s3cret", "has a path of the program's own"),
        ("https://bot.example.org/{hook}", "s3cret", "has a path of the program's own"),
        ("https://bot.example.org/hook?a=b", "s3cret", "has a path of the program's own"),
    ],
)
def test_a_webhook_that_telegram_could_not_post_to_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str, secret: str | None, fault: str
) -> None:
    monkeypatch.setenv("LAOCERT_WEBHOOK_URL", url)
    if secret is not None:
        monkeypatch.setenv("LAOCERT_WEBHOOK_SECRET", secret)
    with pytest.raises(SettingsRefused, match=fault):
        load_settings()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://bot.example.org", "/"),
        ("https://bot.example.org:8443/a/b-c_d", "/a/b-c_d"),
        ("http://127.0.0.1:8081/hook", "/hook"),
    ],
)
def test_a_webhook_is_served_at_the_path_of_its_url(monkeypatch: pytest.MonkeyPatch, url: str, path: str) -> None:
    monkeypatch.setenv("LAOCERT_WEBHOOK_URL", url)
    monkeypatch.setenv("LAOCERT_WEBHOOK_SECRET", "s3cret_-")
    settings = load_settings()
    hook = hook_of(settings)
    assert hook is not None
    assert (hook.url, hook.path, hook.secret) == (url, path, "s3cret_-")
    assert "s3cret_-" in secrets_of(settings)
    assert "s3cret_-" not in repr(settings)


def test_the_listener_may_be_of_ip_version_6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAOCERT_LISTEN", "[::1]:8081")
    assert listen_address(load_settings()) == ("::1", 8081)


@pytest.mark.parametrize(
    "lost", ["lost:9cc9606", "LOST:1a2b3c4d", "lost: 1a2b3c4d", "lost:1A2B3C4D", "lost:zzzzzzzz"]
)
def test_a_lost_key_whose_id_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    monkeypatch.setenv("LAOCERT_SECRET_KEY", "k" * 40)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", f"another, {lost}")
    with pytest.raises(SettingsRefused, match="after lost: comes the id of a key"):
        keyring(load_settings())


def test_old_keys_are_kept_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAOCERT_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", " b ,a,")
    keys = keyring(load_settings())
    assert keys is not None
    assert keys.old == ("b", "a", " b ")
