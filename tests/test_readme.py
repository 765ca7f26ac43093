"""The README's commands work: the tests write its example files and run its commands in order."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.strip()]


def test_the_laocert_commands_run_in_their_order(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(blocks("ini")[0], encoding="utf-8")
    for name, content in zip(("accounts.csv", "personnel.csv"), blocks("csv"), strict=True):
        (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "demo").symlink_to(ROOT / "demo")
    ran = []
    for program, *arguments in commands():
        # `laocert run` does not end by itself and `laocert doctor` asks Telegram: tests/bot/service/test_run.py
        # and test_doctor.py run them.
        if program != "laocert" or arguments in (["run"], ["doctor"]):
            continue
        ended = subprocess.run(
            [sys.executable, "-m", "bot", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, f"{arguments}: {ended.stderr}"
        ran.append(" ".join(arguments[:2]))
    assert ran[:2] == ["db upgrade", "import organizations"]
    assert (tmp_path / "certifications.xlsx").exists()


def test_the_make_targets_are_there() -> None:
    targets = [arguments[0] for program, *arguments in commands() if program == "make"]
    assert targets[:2] == ["demo", "test"]
    for target in targets:
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_every_link_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)|src=\"([^\"]+)\"", text):
            target = link[0] or link[1]
            assert (page.parent / target).exists(), f"{page.name}: {target}"
