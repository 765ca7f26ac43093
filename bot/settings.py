"""The settings, from the environment or `.env`: the one place that reads either (docs/contract.md)."""

from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.base import DomainError
from models.keys import Keyring


class SettingsRefused(DomainError):
    """A setting is missing or wrong; the message names it and says how to mend it."""


class Settings(BaseSettings):
    """What the program is told from outside. Secrets print as stars."""

    model_config = SettingsConfigDict(env_prefix="LAOCERT_", env_file=".env", extra="ignore", frozen=True)

    bot_token: SecretStr | None = Field(None, description="the bot's token, from @BotFather")
    api_url: str = "https://api.telegram.org"
    database_url: SecretStr = SecretStr("sqlite+aiosqlite:///laocert.db")
    secret_key: SecretStr | None = Field(None, min_length=32)
    # Those in use before, divided by commas: they open and verify, and make nothing new.
    old_secret_keys: SecretStr = SecretStr("")
    operator_chat: int | None = None
    # Records drawn for a province's spot-check; 0 makes it optional.
    spot_check_size: int = Field(3, ge=0, le=20)
    # A headcount that differs by more than this from the last round's must be explained; 100: never.
    difference_percent: int = Field(10, ge=0, le=100)

    @field_validator("secret_key")
    @classmethod
    def _can_become_an_old_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and "," in value.get_secret_value():
            raise PydanticCustomError("comma", "holds a comma; make one of letters and digits")
        return value

    log_format: Literal["console", "json"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


def load_settings() -> Settings:
    """Read the settings. Raises SettingsRefused for one that is not as documented."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "LAOCERT_" + str(first["loc"][0]).upper()
        raise SettingsRefused(f"{name}: {first['msg']}; see docs/contract.md, Settings") from None


def keyring(settings: Settings) -> Keyring | None:
    """The secret keys; None without one in use."""
    if settings.secret_key is None:
        return None
    old = (part.strip() for part in settings.old_secret_keys.get_secret_value().split(","))
    return Keyring(settings.secret_key.get_secret_value(), tuple(part for part in old if part))


def require_bot(settings: Settings) -> tuple[str, Keyring]:
    """The token and the secret keys that `run` cannot do without. Raises SettingsRefused."""
    if settings.bot_token is None:
        raise SettingsRefused("LAOCERT_BOT_TOKEN is not set; put the token from @BotFather in .env")
    keys = keyring(settings)
    if keys is None:
        raise SettingsRefused(
            "LAOCERT_SECRET_KEY is not set; make one: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    return settings.bot_token.get_secret_value(), keys


def secrets_of(settings: Settings) -> list[str]:
    """What must never be printed: the token, the keys, and the database's password."""
    held = (settings.bot_token, settings.secret_key, settings.old_secret_keys)
    values = [part.strip() for secret in held if secret for part in secret.get_secret_value().split(",")]
    # As it stands in the URL; one without a password has no colon after the user.
    user_info = settings.database_url.get_secret_value().partition("://")[2].rpartition("@")[0]
    return [value for value in (*values, user_info.partition(":")[2]) if value]
