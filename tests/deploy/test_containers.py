"""deploy/: the image, the compose file and the proxy fit each other and the program."""

import asyncio
import json
import os
import re
import subprocess
import sysconfig
import threading
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import aiohttp
import pytest
import yaml
from aiohttp import web

from bot.service.tuning import PRODUCTION
from demo.botapi import PATIENCE
from tests.chat import reserved_port

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sysconfig.get_path("scripts"))
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
REPLICAS = ("laocert-1", "laocert-2")
# A version of two or three numbers, so that a rebuild does not change what runs.
PINNED = re.compile(r".+:\d+\.\d+(\.\d+)?(-[a-z]+)*(@sha256:[0-9a-f]{64})?")


def _lines() -> list[str]:
    """The Containerfile's instructions, each on one line."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Containerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [line.strip() for line in re.sub(r"\\\n", " ", text).splitlines() if line.strip()]


# --- the image


def test_the_containerfile_passes_hadolint() -> None:
    subprocess.run([BIN / "hadolint", "--no-color", DEPLOY / "Containerfile"], check=True)


def test_the_image_is_pinned_installs_by_hash_and_runs_as_nobody() -> None:
    lines = _lines()
    stages = {line.split()[-1] for line in lines if " AS " in line}
    bases = [line.split()[1] for line in lines if line.startswith("FROM")]
    assert all(base in stages or PINNED.fullmatch(base) for base in bases)
    last = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM")) :]
    assert [line for line in last if line.startswith("USER")] == ["USER 10001:10001"]
    installs = [line for line in lines if "pip install" in line]
    assert ["--require-hashes" in line or "--no-deps" in line for line in installs] == [True, True]
    assert not any("pip" in line for line in last)


def test_the_image_gets_what_the_program_consists_of_and_nothing_else() -> None:
    copied = {
        source.rstrip("/")
        for line in _lines()
        if line.startswith("COPY") and "--from" not in line
        for source in line.split()[1:-1]
    }
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packages = {name.rstrip("*") for name in settings["packages"]["find"]["include"]}
    assert copied == packages | {"pyproject.toml", "README.md", "requirements.lock"}
    assert all((ROOT / name).exists() for name in copied)
    ignore = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert ignore[1] == "*"


class _Ready(BaseHTTPRequestHandler):
    code = 200

    def do_GET(self) -> None:
        assert self.path == "/readyz"
        self.send_response(self.code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_the_health_check_tells_ready_from_not_ready() -> None:
    check = next(line for line in _lines() if line.startswith("HEALTHCHECK")).partition(" CMD ")[2]
    python, dash, code = json.loads(check)
    assert (python, dash) == ("python", "-c")
    with HTTPServer(("127.0.0.1", 0), _Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code = code.replace("8081", str(server.server_port))
        exec(code, {})  # noqa: S102 - the very words of the health check
        _Ready.code = 503
        with pytest.raises(HTTPError):
            exec(code, {})  # noqa: S102
        server.shutdown()


# --- compose


def test_what_compose_names_is_there() -> None:
    assert set(SERVICES) == {"postgres", "migrate", "operator", *REPLICAS, "proxy"}
    for name, one in SERVICES.items():
        assert PINNED.fullmatch(one["image"]), name
        assert set(one.get("depends_on", ())) <= set(SERVICES), name
        assert set(one["networks"]) <= set(COMPOSE["networks"]), name
        assert set(one.get("secrets", ())) <= set(COMPOSE["secrets"]), name
        for mount in one.get("volumes", ()):
            source = mount.partition(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"], mount
    build = SERVICES["laocert-1"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Containerfile"


def test_two_replicas_wait_for_the_schema_and_the_schema_for_the_database() -> None:
    first, second = (SERVICES[name] for name in REPLICAS)
    assert first == second
    assert first["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert SERVICES["migrate"]["command"] == ["db", "upgrade"]
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["postgres"]["image"].partition(":")[2].startswith("15.")
    assert "pg_isready" in SERVICES["postgres"]["healthcheck"]["test"]
    assert int(first["stop_grace_period"].removesuffix("s")) > PRODUCTION.grace + 2


def _env_files(service: dict[str, Any]) -> list[str]:
    files = service.get("env_file", [])
    return [files] if isinstance(files, str) else files


def test_the_bots_containers_know_their_own_role_alone() -> None:
    by_file = {
        "secrets/laocert.env": "LAOCERT_DATABASE_URL=postgresql+asyncpg://laocert_application:",
        "secrets/operator.env": "LAOCERT_DATABASE_OPERATOR_URL=postgresql+asyncpg://laocert_operator:",
        "secrets/owner.env": "LAOCERT_DATABASE_OWNER_URL=postgresql+asyncpg://laocert_owner:",
    }
    operations = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert all(line in operations for line in by_file.values())
    assert [_env_files(SERVICES[name]) for name in REPLICAS] == [["secrets/laocert.env"]] * 2
    assert _env_files(SERVICES["operator"]) == ["secrets/laocert.env", "secrets/operator.env"]
    assert _env_files(SERVICES["migrate"]) == list(by_file)
    # The superuser's password is the server's own.
    with_password = [name for name, one in SERVICES.items() if "postgres_password" in one.get("secrets", ())]
    assert with_password == ["postgres"]


def test_no_secret_is_in_the_repository_and_the_database_is_not_reached_from_outside() -> None:
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    files = [path for one in SERVICES.values() for path in _env_files(one)]
    files += [one["file"] for one in COMPOSE["secrets"].values()]
    assert all(path.startswith("secrets/") for path in files)
    inline = [name for one in SERVICES.values() for name in one.get("environment", ())]
    assert not [name for name in inline if re.search("PASSWORD$|TOKEN|SECRET|KEY|URL", name)]
    assert [name for name, one in SERVICES.items() if "ports" in one] == ["proxy"]
    assert SERVICES["postgres"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    operations = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert all(f"deploy/{path}" in operations for path in files)


# --- the proxy


def _adapted(to: dict[str, int], port: int) -> dict[str, Any]:
    """The Caddyfile as Caddy reads it, for this machine: with the replicas at ports of their own."""
    command = [BIN / "caddy", "adapt", "--validate", "--config", DEPLOY / "Caddyfile", "--adapter", "caddyfile"]
    environment = {**os.environ, "LAOCERT_HOST": f"http://127.0.0.1:{port}"}
    text = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    assert all(f"{name}:8081" in text for name in to)
    # By what is true of one replica alone: by what all share, both would be away at once.
    assert '"uri":"/readyz"' in text
    for name, at in to.items():
        text = text.replace(f"{name}:8081", f"127.0.0.1:{at}")
    adapted: dict[str, Any] = json.loads(text)
    return {**adapted, "admin": {"disabled": True, "config": {"persist": False}}}


@asynccontextmanager
async def _replica(posts: list[str], name: str) -> AsyncIterator[tuple[int, web.AppRunner]]:
    async def ready(_request: web.Request) -> web.Response:
        return web.Response()

    async def hook(_request: web.Request) -> web.Response:
        posts.append(name)
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/readyz", ready), web.get("/metrics", ready), web.post("/telegram", hook)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1], runner
    await runner.cleanup()


async def test_posts_go_to_a_replica_that_runs_and_nothing_else_is_shown(tmp_path: Path) -> None:
    posts: list[str] = []
    async with AsyncExitStack() as stack:
        port = stack.enter_context(reserved_port())
        first, runner = await stack.enter_async_context(_replica(posts, "1"))
        second, _ = await stack.enter_async_context(_replica(posts, "2"))
        config = tmp_path / "caddy.json"
        to = dict(zip(REPLICAS, (first, second), strict=True))
        config.write_text(json.dumps(await asyncio.to_thread(_adapted, to, port)))
        caddy = await asyncio.create_subprocess_exec(
            BIN / "caddy", "run", "--config", config, env={**os.environ, "HOME": str(tmp_path)}, stderr=-3
        )
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as telegram:
                await _until_listening(telegram)
                assert [await _post(telegram) for _ in range(2)] == [200, 200]
                assert sorted(posts) == ["1", "2"]
                for path in ("/metrics", "/readyz", "/healthz", "/healthz/work", "/"):
                    async with telegram.get(path) as answer:
                        assert answer.status == 404, path
                await runner.cleanup()
                assert [await _post(telegram) for _ in range(4)] == [200] * 4
                assert posts[2:] == ["2"] * 4
        finally:
            caddy.terminate()
            await caddy.wait()


async def _post(telegram: aiohttp.ClientSession) -> int:
    async with telegram.post("/telegram", json={"update_id": 1}) as answer:
        return answer.status


async def _until_listening(telegram: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with telegram.get("/"):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
