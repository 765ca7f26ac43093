"""Settings: what is refused, and what must never be printed."""

import pytest

from bot.settings import Settings, SettingsRefused, keyring, load_settings, secrets_of


def test_what_must_never_be_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAOCERT_BOT_TOKEN", "1:token")
    monkeypatch.setenv("LAOCERT_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", "old one, older one")
    monkeypatch.setenv("LAOCERT_DATABASE_URL", "postgresql+asyncpg://user:p@ss:word@host/name")
    settings = load_settings()
    assert secrets_of(settings) == ["1:token", "k" * 32, "old one", "older one", "p@ss:word"]
    assert not any(secret in repr(settings) for secret in secrets_of(settings))


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:///a.db", "postgresql+asyncpg://postgres@127.0.0.1:5432/a"])
def test_a_url_without_a_password_hides_nothing(url: str) -> None:
    assert secrets_of(Settings(database_url=url, _env_file=None)) == []  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAOCERT_SECRET_KEY", "short"),
        ("LAOCERT_SECRET_KEY", "with a comma, and more than 32 letters"),
        ("LAOCERT_LOG_FORMAT", "xml"),
        ("LAOCERT_OPERATOR_CHAT", "somebody"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsRefused, match=name) as refused:
        load_settings()
    assert value not in str(refused.value)


def test_old_keys_are_kept_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAOCERT_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("LAOCERT_OLD_SECRET_KEYS", " b ,a,")
    keys = keyring(load_settings())
    assert keys is not None
    assert keys.old == ("b", "a")
