"""The settings, from the environment or `.env`: the one place that reads either (docs/contract.md)."""

from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.base import DomainError


class SettingsRefused(DomainError):
    """A setting is missing or wrong; the message names it and says how to mend it."""


class Settings(BaseSettings):
    """What the program is told from outside. Secrets print as stars."""

    model_config = SettingsConfigDict(env_prefix="LAOCERT_", env_file=".env", extra="ignore", frozen=True)

    bot_token: SecretStr | None = Field(None, description="the bot's token, from @BotFather")
    api_url: str = "https://api.telegram.org"
    database_url: SecretStr = SecretStr("sqlite+aiosqlite:///laocert.db")
    secret_key: SecretStr | None = Field(None, min_length=32)
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


def require_bot(settings: Settings) -> tuple[str, str]:
    """The token and the secret key that `run` cannot do without. Raises SettingsRefused."""
    if settings.bot_token is None:
        raise SettingsRefused("LAOCERT_BOT_TOKEN is not set; put the token from @BotFather in .env")
    if settings.secret_key is None:
        raise SettingsRefused(
            "LAOCERT_SECRET_KEY is not set; make one: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    return settings.bot_token.get_secret_value(), settings.secret_key.get_secret_value()
