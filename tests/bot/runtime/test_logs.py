"""Logging: console and JSON formats, without secrets, also in tracebacks."""

import logging
from collections.abc import Iterator

import orjson
import pytest

from bot.runtime import logs

TOKEN = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"
# With letters that JSON escapes.
KEY = 'a "secret" \\ key\tof more than 32 letters'
log = logging.getLogger("laocert.test")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers_and_level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs._TALKATIVE}
    yield
    root.handlers[:], root.level = handlers_and_level
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def fail(secret: str) -> None:
    raise RuntimeError(f"POST https://api.telegram.org/bot{secret}/getMe with {KEY}")


@pytest.mark.parametrize("form", ["console", "json"])
def test_secrets_are_blanked_everywhere(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("DEBUG", form, [TOKEN, KEY])
    log.info("the token %s in a line", TOKEN)
    log.info("a URL: https://example.org/bot%s/getUpdates, and one of another bot: bot%s", TOKEN, TOKEN[::-1])
    log.warning("of another bot: /bot987654321:%s/x", "B" * 35, stack_info=True)
    try:
        fail(TOKEN)
    except RuntimeError:
        log.exception("failed with %s", KEY)
    written = capsys.readouterr().err
    assert "RuntimeError" in written
    assert "Traceback" in written
    for secret in (TOKEN, KEY, orjson.dumps(KEY).decode()[1:-1], "B" * 35, TOKEN.partition(":")[2]):
        assert secret not in written


def test_json_lines_can_be_read_by_machines(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("INFO", "json", [TOKEN])
    log.debug("too detailed")
    log.info("ภาษาไทย\nสองบรรทัด %d", 7)
    log.info("half a pair: %s", "\ud800")
    try:
        fail(TOKEN)
    except RuntimeError:
        log.exception("failed")
    lines = [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["level"], line["logger"]) for line in lines] == [
        ("INFO", "laocert.test"),
        ("INFO", "laocert.test"),
        ("ERROR", "laocert.test"),
    ]
    assert lines[0]["message"] == "ภาษาไทย\nสองบรรทัด 7"
    assert "traceback" not in lines[0]
    assert "RuntimeError" in lines[2]["traceback"]


@pytest.mark.parametrize("form", ["console", "json"])
def test_all_lines_of_an_update_bear_its_id(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("INFO", form, [])
    log.info("before")
    token = logs.UPDATE.set(4711)
    try:
        log.info("within")
        fail(TOKEN)
    except RuntimeError:
        log.exception("failed")
    logs.UPDATE.reset(token)
    log.info("after")
    written = capsys.readouterr().err
    if form == "json":
        lines = [orjson.loads(line) for line in written.splitlines()]
        assert [line.get("update") for line in lines] == [None, 4711, 4711, None]
    else:
        assert "within [update 4711]\n" in written
        assert "failed [update 4711]\nTraceback" in written
        assert "before\n" in written
        assert "after\n" in written


def test_the_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("INFO", "console", [])
    log.info("สวัสดี")
    assert capsys.readouterr().err.endswith("INFO    laocert.test: สวัสดี\n")


@pytest.mark.parametrize("name", ["telegram.Bot", "aiohttp.client", "sqlalchemy.engine", "httpx"])
def test_libraries_do_not_tell_what_they_carry(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("DEBUG", "console", [])
    logging.getLogger(name).info("a whole update")
    assert not capsys.readouterr().err
