"""The process that reads a file which an officer has sent: what it is given, and what it can get at."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from bot.inbound import uploads
from bot.inbound.checking import CODECS
from bot.runtime.settings import forget_environment
from handlers.chat.uploads import Wanted
from models.imports.sent_file import packed_check
from models.imports.tabular import ImportRefused
from tests.models.imports.files import FIRST

KEY = "a canary of a key"
# In place of the reader: it confines itself as the reader does, then tries what whoever has got hold of it would.
_TRIES = """
import json, os, socket, sys
from bot.inbound import checking

checking._limit_resources()
asked = json.loads(sys.stdin.readline())
parent = os.getppid()

def opened(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True

def tried(attempt):
    try:
        attempt()
        return "done"
    except (OSError, RuntimeError) as error:
        return type(error).__name__ + " " + str(getattr(error, "errno", ""))

def raise_limits():
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

print(json.dumps({
    "environment": sorted(set(os.environ) - {"LC_CTYPE"}),
    "directory": os.getcwd(),
    "inherited": [one for one in range(3, 4096) if opened(one)],
    "our environment": tried(lambda: open(f"/proc/{parent}/environ").read()),
    "our memory": tried(lambda: open(f"/proc/{parent}/mem", "rb").read(1)),
    "a descriptor of ours": tried(lambda: open(f"/proc/{parent}/fd/{asked['descriptor']}").read()),
    "a file of settings": tried(lambda: open(asked["file"]).read()),
    "a new file": tried(lambda: open(asked["file"] + ".new", "w")),
    "the freed place of a descriptor": tried(lambda: (os.close(0), open(asked["file"]).read())),
    "the network": tried(socket.socket),
    "more rights": tried(raise_limits) if os.getuid() else "PermissionError 1",
}))
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of settings beside the program, as `laocert run` reads one, and the same in its environment."""
    path = tmp_path / ".env"
    path.write_text(f"LAOCERT_SECRET_KEY={KEY}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAOCERT_SECRET_KEY", KEY)
    monkeypatch.setenv("PGPASSWORD", KEY)
    return path


@pytest.fixture
def descriptor(settings: Path) -> Iterator[int]:
    """An open file of ours that a careless start would hand on."""
    with settings.open() as file:
        os.set_inheritable(file.fileno(), True)
        yield file.fileno()


async def _tried(asked: dict[str, object]) -> bytes:
    process = await uploads.start_reader("-c", _TRIES)
    told, _ = await process.communicate(json.dumps(asked).encode() + b"\n")
    return told


@pytest.mark.parametrize(
    "loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["as the program", "asyncio"]
)
def test_the_reader_is_given_nothing_and_can_open_nothing(
    settings: Path, descriptor: int, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        told = runner.run(_tried({"file": str(settings), "descriptor": descriptor}))
    # EMFILE, for whoever runs it: not even root has a place for another descriptor.
    nothing = "OSError 24"
    assert json.loads(told) == {
        "environment": ["PYTHONPATH"],
        "directory": "/",
        "inherited": [],
        "our environment": nothing,
        "our memory": nothing,
        "a descriptor of ours": nothing,
        "a file of settings": nothing,
        "a new file": nothing,
        "the freed place of a descriptor": nothing,
        "the network": nothing,
        "more rights": "PermissionError 1",
    }


def test_the_reader_starts_no_process() -> None:
    """As an ordinary user: the limit of processes does not hold for root."""
    program = (
        "import ctypes, os, resource\n"
        "from bot.runtime.confinement import give_up_everything\n"
        "if os.getuid() == 0:\n"
        "    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "give_up_everything()\n"
        "try:\n"
        "    os.fork() or os._exit(0)\n"
        "    print('started')\n"
        "except OSError as error:\n"
        "    print(type(error).__name__)\n"
    )
    command, environment = [sys.executable, "-c", program], {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    assert done.stdout == "BlockingIOError\n"


@pytest.mark.parametrize("codec", CODECS)
async def test_the_reader_needs_no_file_for_a_codec(codec: str) -> None:
    """What it says of a file is what is said of it here, in whatever letters it is written."""
    rows = f"organization,record_no,full_name,category,position,level\n{FIRST},0001,บุคคล ทดสอบ,official,ปลัด,\n"
    content = rows.encode(codec, errors="replace")
    assert await _there("a.csv", content) == _here("a.csv", content)


async def _there(name: str, content: bytes) -> object:
    try:
        return await uploads.check(Wanted("file", name, FIRST), content)
    except ImportRefused as refused:
        return refused.problems


def _here(name: str, content: bytes) -> object:
    return packed_check(name, content, FIRST)


# --- the program that holds the secrets ----------------------------------------------------------------------

# A program of an ordinary user, and another process of the same user which looks into it. Root may look into
# everything, so that a root gives its rights up first; what that hides is shown again, as it is for a program that
# was started by the user.
_LOOKED_INTO = """
import ctypes, json, os, sys
from bot.runtime.confinement import hide

if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)

def looked(what):
    # In a process of its own: a process may always look into itself.
    reading, writing = os.pipe()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
        try:
            found = open(f"/proc/{os.getppid()}/{what}", "rb").read(1)
        except OSError as error:
            found = type(error).__name__.encode()
        os.write(writing, found)
        os._exit(0)
    os.close(writing)
    os.wait()
    return open(reading, "rb").read().decode(errors="replace")

before = looked("environ")
hide()
print(json.dumps({"before": before, "after": [looked(one) for one in ("environ", "mem", "maps")]}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc with environments")
def test_nobody_of_the_same_user_looks_into_the_program() -> None:
    environment = {"LAOCERT_SECRET_KEY": KEY, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", _LOOKED_INTO], env=environment, capture_output=True, check=True, text=True
    )
    told = json.loads(done.stdout)
    # Its first letter, of a name.
    assert told["before"] in ("L", "P")
    assert told["after"] == ["PermissionError"] * 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whether it is hidden")
def test_whoever_reads_the_settings_is_hidden_before() -> None:
    program = (
        "import ctypes\n"
        "from bot.runtime import settings\n"
        "seen = []\n"
        "settings.Settings = lambda: seen.append(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
        "settings.load_settings()\n"
        "print(seen)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True, text=True
    )
    assert done.stdout == "[0]\n"


def test_the_program_itself_takes_its_secrets_out_of_its_environment() -> None:
    program = (
        "import os\n"
        "from bot.cli import cli\n"
        "from bot.service import wiring\n"
        "async def run(settings, *_):\n"
        "    key = settings.secret_key.get_secret_value()\n"
        "    print(key == os.environ['KEY'], 'LAOCERT_SECRET_KEY' in os.environ)\n"
        "wiring.run = run\n"
        "cli(['run'])\n"
    )
    key = "k" * 40
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LAOCERT_SECRET_KEY": key, "KEY": key}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    assert done.stdout == "True False\n"


def test_what_the_program_starts_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ["BOT_TOKEN", "SECRET_KEY", "OLD_SECRET_KEYS", "DATABASE_URL", "WEBHOOK_SECRET"]
    for name in (*secrets, "LISTEN"):
        monkeypatch.setenv(f"LAOCERT_{name}", KEY)
    forget_environment()
    left = subprocess.run(["/usr/bin/env"], capture_output=True, check=True, text=True).stdout
    assert [line for line in left.splitlines() if KEY in line] == [f"LAOCERT_LISTEN={KEY}"]
