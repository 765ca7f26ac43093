"""The settings (docs/contract.md). Only this module reads the environment or `.env`."""

import os
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bot.runtime.confinement import hide
from models.base.errors import DomainError
from models.base.grants import DatabaseRole, RoleNames
from models.security.keys import Keyring

# Paths that the program itself serves on LAOCERT_LISTEN; the webhook must have another.
OWN_PATHS = ("/healthz", "/healthz/work", "/readyz", "/metrics")
# Letters of a secret key at least.
LEAST_LETTERS = 32
# Letters of LAOCERT_CONTACT at most: it is part of sentences in the chat and of invitation slips.
MOST_CONTACT = 100
MAKE_KEY = "python -c 'import secrets; print(secrets.token_hex(32))'"
# Not "make a new key" alone: replacing a mistyped key by a new one would lock officers out of their PINs.
SET_KEY = f"set the key that this database is used with; for a new database make one: {MAKE_KEY}"
# An entry of LAOCERT_OLD_SECRET_KEYS for a key that is lost: its id in place of the key.
_LOST = re.compile(r"lost:([0-9a-f]{8})")
_MEANT_AS_LOST = re.compile(r"\s*lost\s*:", re.IGNORECASE)
# Bot API, setWebhook, secret_token.
_SECRET_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}")
_PATH = re.compile(r"/[A-Za-z0-9/._~-]*")


class SettingsRefused(DomainError):
    """A setting is missing or wrong; the message names it and says how to fix it."""


class Settings(BaseSettings):
    """The settings, each from the variable LAOCERT_ and its name in capitals. Secrets print as stars.

    A validator sees only the settings declared before its own, so a setting that decides on another stands first.
    """

    model_config = SettingsConfigDict(env_prefix="LAOCERT_", env_file=".env", extra="ignore", frozen=True)

    bot_token: SecretStr | None = Field(None, description="the bot's token, from @BotFather")
    # Before api_url, whose validator reads it.
    api_insecure: bool = False
    api_url: str = "https://api.telegram.org"
    database_url: SecretStr = SecretStr("sqlite+aiosqlite:///laocert.db")
    # The same database as other roles of PostgreSQL; the first one does for all where these are not set.
    database_operator_url: SecretStr | None = None
    database_owner_url: SecretStr | None = None
    secret_key: SecretStr | None = None
    # Earlier keys, separated by commas: they only open and verify. `lost:1a2b3c4d` names a lost key by its id.
    old_secret_keys: SecretStr = SecretStr("")
    operator_chat: int | None = None
    # How officers reach the operator, in one line: a telephone number or a mail address.
    contact: str = ""
    # Before webhook_url, whose validator reads it.
    webhook_secret: SecretStr | None = None
    webhook_url: str | None = None
    listen: str = "127.0.0.1:8081"
    # Records drawn for a province's spot-check; 0 makes it optional.
    spot_check_size: int = Field(3, ge=0, le=20)
    # Percentage by which a headcount may differ from the last round's without an explanation; 100: any.
    difference_percent: int = Field(10, ge=0, le=100)

    @field_validator("api_url")
    @classmethod
    def _keeps_what_is_said(cls, value: str, info: ValidationInfo) -> str:
        parts = _split(value)
        if not parts.hostname or parts.scheme not in ("https", "http") or parts.query or parts.fragment:
            raise PydanticCustomError("url", "is no URL; write https://host")
        # A refused LAOCERT_API_INSECURE is missing from the data; its own error is reported first.
        may_be_http = info.data.get("api_insecure", True) or is_of_this_machine(parts.hostname)
        if parts.scheme == "http" and not may_be_http:
            raise PydanticCustomError(
                "https",
                "is not https, so that whoever is on the way reads the token and every message; write https://host,"
                " or set LAOCERT_API_INSECURE=1 where the way there is guarded otherwise",
            )
        return value

    @field_validator("contact")
    @classmethod
    def _is_one_line(cls, value: str) -> str:
        contact = " ".join(value.split())
        if len(contact) > MOST_CONTACT or not contact.isprintable():
            raise PydanticCustomError("contact", "is no line of at most 100 letters; write 02 000 0000")
        return contact

    @field_validator("secret_key", "old_secret_keys")
    @classmethod
    def _is_text(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            (value.get_secret_value() if value else "").encode()
        except UnicodeEncodeError:
            raise PydanticCustomError("utf8", "is not UTF-8; write it as it was made") from None
        return value

    @field_validator("secret_key")
    @classmethod
    def _can_become_an_old_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return value
        key = value.get_secret_value()
        if "," in key:
            raise PydanticCustomError("comma", "holds a comma; {mend}", {"mend": SET_KEY})
        if not key.strip():
            raise PydanticCustomError("empty", "is empty; {mend}", {"mend": SET_KEY})
        if len(key.strip()) < LEAST_LETTERS:
            raise PydanticCustomError("short", "has less than 32 letters; {mend}", {"mend": SET_KEY})
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _telegram_takes_it(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _SECRET_TOKEN.fullmatch(value.get_secret_value()):
            raise PydanticCustomError("secret", "is not 1 to 256 of A-Z a-z 0-9 _ -")
        return value

    @field_validator("webhook_url")
    @classmethod
    def _can_be_posted_to(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return value
        parts = _split(value)
        if not parts.hostname or parts.scheme not in ("https", "http"):
            raise PydanticCustomError("url", "is no URL; write https://host/path")
        if parts.scheme == "http" and not is_of_this_machine(parts.hostname):
            raise PydanticCustomError("https", "is not https, without which Telegram sends nothing")
        path = parts.path or "/"
        if parts.query or parts.fragment or path in OWN_PATHS or not _PATH.fullmatch(path):
            raise PydanticCustomError(
                "path", "has a path of the program's own, or with other than letters, digits and / . _ ~ -"
            )
        # A refused LAOCERT_WEBHOOK_SECRET is missing from the data; its own error is reported first.
        if info.data.get("webhook_secret", "refused") is None:
            raise PydanticCustomError("secret", "needs LAOCERT_WEBHOOK_SECRET as well")
        return value

    @field_validator("listen")
    @classmethod
    def _can_be_listened_at(cls, value: str) -> str:
        parts = _split(f"tcp://{value}")
        if not parts.hostname or parts.port is None or parts.path or parts.username:
            raise PydanticCustomError("listen", "is no address; write host:port")
        return value

    log_format: Literal["console", "json"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


def _split(url: str) -> SplitResult:
    """The parts of a URL; all empty when it is malformed."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def is_of_this_machine(host: str) -> bool:
    """Whether a host is this machine: `localhost` or a loopback address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str:
    """The host of a webhook's URL, for messages: the path may be secret. `an unknown host` when there is none."""
    return _split(url).hostname or "an unknown host"


def listen_address(settings: Settings) -> tuple[str, int]:
    """Host and port where `run` listens. Port 0 lets the system choose one."""
    parts = urlsplit(f"tcp://{settings.listen}")
    return parts.hostname or "", parts.port or 0


@dataclass(frozen=True)
class Hook:
    """The webhook: the URL to which Telegram posts, and the secret by which its posts are known."""

    url: str
    secret: str

    @property
    def path(self) -> str:
        """The path at which the program serves it."""
        return urlsplit(self.url).path or "/"


def hook_of(settings: Settings) -> Hook | None:
    """The webhook of the settings; None for long polling."""
    if settings.webhook_url is None or settings.webhook_secret is None:
        return None
    return Hook(settings.webhook_url, settings.webhook_secret.get_secret_value())


def load_settings() -> Settings:
    """Read and validate the settings. Raises SettingsRefused, which names the first invalid one.

    From now on no other process of the same user can look into this one.
    """
    hide()
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "LAOCERT_" + str(first["loc"][0]).upper()
        raise SettingsRefused(f"{name}: {first['msg']}; see docs/contract.md, Settings") from None


def forget_environment() -> None:
    """Take the secrets out of the environment, so that no program which this one starts gets them; they were read.

    What stands in /proc/PID/environ stays as it was at the start (proc_pid_environ(5)).
    """
    for name, field in Settings.model_fields.items():
        if "SecretStr" in str(field.annotation):
            os.environ.pop(f"LAOCERT_{name.upper()}", None)


def keyring(settings: Settings) -> Keyring | None:
    """The key in use with the earlier ones; None when LAOCERT_SECRET_KEY is not set.

    Whitespace around a key does not belong to it: it depends on the file that holds the key. Earlier releases took
    it as part of the key in use, so each key counts as an earlier one with its whitespace as well. Raises
    SettingsRefused for a `lost:` entry without a valid id.
    """
    if settings.secret_key is None:
        return None
    key = settings.secret_key.get_secret_value()
    parts = settings.old_secret_keys.get_secret_value().split(",")
    if any(_MEANT_AS_LOST.match(part) and not _LOST.fullmatch(part.strip()) for part in parts):
        raise SettingsRefused(
            "LAOCERT_OLD_SECRET_KEYS: after lost: comes the id of a key, 8 letters of 0-9 and a-f, as"
            " laocert audit verify names it"
        )
    lost = {part: match[1] for part in parts if (match := _LOST.fullmatch(part.strip()))}
    written = [key, *(part for part in parts if part.strip() and part not in lost)]
    current, *old = dict.fromkeys([*(part.strip() for part in written), *written])
    return Keyring(current, tuple(old), tuple(lost.values()))


def own_url_setting(role: DatabaseRole) -> str:
    """The setting that a role of the database has for itself."""
    return "LAOCERT_DATABASE_URL" if role is DatabaseRole.APPLICATION else f"LAOCERT_DATABASE_{role.upper()}_URL"


def url_setting(settings: Settings, role: DatabaseRole) -> str:
    """The setting that says where a role connects."""
    return own_url_setting(role if has_own_url(settings, role) else DatabaseRole.APPLICATION)


def has_own_url(settings: Settings, role: DatabaseRole) -> bool:
    """Whether a role's own setting is set, so that LAOCERT_DATABASE_URL is not taken in its place."""
    return role is DatabaseRole.APPLICATION or _own_url(settings, role) is not None


def database_url(settings: Settings, role: DatabaseRole) -> str:
    """Where a role connects: by its own setting, or LAOCERT_DATABASE_URL where that is not set."""
    return (_own_url(settings, role) or settings.database_url).get_secret_value()


def _own_url(settings: Settings, role: DatabaseRole) -> SecretStr | None:
    own = {
        DatabaseRole.OPERATOR: settings.database_operator_url,
        DatabaseRole.OWNER: settings.database_owner_url,
    }
    # An empty line in a file of settings sets nothing.
    url = own.get(role)
    return url if url is not None and url.get_secret_value() else None


def role_names(settings: Settings) -> RoleNames | None:
    """The roles by the users of their URLs; None where one role does all, and on SQLite.

    Raises SettingsRefused for a URL that is none, and where one role is to be the application and the operator.
    """
    if not has_own_url(settings, DatabaseRole.OWNER):
        return None
    users = {role: _user(settings, role) for role in DatabaseRole}
    application, operator, owner = (users[role] for role in DatabaseRole)
    if application is None or owner is None or application == owner:
        return None
    if not has_own_url(settings, DatabaseRole.OPERATOR) or operator == owner:
        return RoleNames(owner, application, None)
    if operator == application:
        raise SettingsRefused(
            "LAOCERT_DATABASE_OPERATOR_URL has the user of LAOCERT_DATABASE_URL, who is the chat alone; give it a"
            " user of its own (docs/operations.md, Roles)"
        )
    return RoleNames(owner, application, operator)


def _user(settings: Settings, role: DatabaseRole) -> str | None:
    try:
        url = make_url(database_url(settings, role))
    except (ArgumentError, ValueError):
        raise not_a_database(url_setting(settings, role)) from None
    return url.username if url.get_backend_name() == "postgresql" else None


def not_a_database(setting: str) -> SettingsRefused:
    """The refusal of a setting that is no URL of a database."""
    return SettingsRefused(
        f"{setting} is not the URL of a database;"
        " write sqlite+aiosqlite:///laocert.db or postgresql+asyncpg://user@host/name"
    )


def require_bot(settings: Settings) -> tuple[str, Keyring]:
    """The bot token and the secret keys, which `run` needs. Raises SettingsRefused when one is not set."""
    if settings.bot_token is None:
        raise SettingsRefused("LAOCERT_BOT_TOKEN is not set; put the token from @BotFather in .env")
    keys = keyring(settings)
    if keys is None:
        raise SettingsRefused(f"LAOCERT_SECRET_KEY is not set; {SET_KEY}")
    return settings.bot_token.get_secret_value(), keys


def secrets_of(settings: Settings) -> list[str]:
    """The values to redact from all output: token, keys, the webhook's secret, the database's passwords."""
    secrets = (settings.bot_token, settings.secret_key, settings.old_secret_keys, settings.webhook_secret)
    values = [part.strip() for secret in secrets if secret for part in secret.get_secret_value().split(",")]
    # The passwords as they are written in the URLs; a URL without one has no colon after the user's name.
    urls = {database_url(settings, role) for role in DatabaseRole}
    user_infos = [url.partition("://")[2].rpartition("@")[0] for url in sorted(urls)]
    return [value for value in (*values, *(user_info.partition(":")[2] for user_info in user_infos)) if value]
