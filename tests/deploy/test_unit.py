"""deploy/laocert.service: no unknown directive, the hardening, and time enough to end."""

from pathlib import Path

from bot.service.tuning import PRODUCTION

ROOT = Path(__file__).resolve().parents[2]

# Those of systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5) and systemd.resource-control(5)
# that the unit uses. systemd ignores a directive that it does not know: a slip of the pen would go unseen.
KNOWN = {
    "Unit": {"Description", "Documentation", "Wants", "After"},
    "Service": {
        "Type",
        "User",
        "Group",
        "EnvironmentFile",
        "StateDirectory",
        "StateDirectoryMode",
        "WorkingDirectory",
        "ExecStart",
        "Restart",
        "RestartSec",
        "TimeoutStopSec",
        "OOMPolicy",
        "RestrictAddressFamilies",
        "SystemCallArchitectures",
        "SystemCallFilter",
        "SystemCallErrorNumber",
        "ProcSubset",
    },
    "Install": {"WantedBy"},
}
HARDENING = {
    "UMask": "0077",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "NoNewPrivileges": "yes",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "PrivateDevices": "yes",
    "PrivateTmp": "yes",
    "PrivateUsers": "yes",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHome": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RemoveIPC": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
}


def _directives() -> list[tuple[str, str, str]]:
    """Section, name and value of each, in order; a name may stand there more than once."""
    section, found = "", []
    for line in (ROOT / "deploy/laocert.service").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert equals, f"not a directive: {line}"
            found.append((section, name, value))
    return found


def test_every_directive_is_known_and_the_hardening_is_whole() -> None:
    found = _directives()
    for section, name, _ in found:
        assert name in KNOWN[section] or (section == "Service" and name in HARDENING), f"[{section}] {name}"
    service_ = {name: value for section, name, value in found if section == "Service"}
    assert {name: service_.get(name) for name in HARDENING} == HARDENING


def test_it_runs_as_nobody_special_and_has_time_to_end() -> None:
    values = {name: value for _, name, value in _directives()}
    assert values["User"] == "laocert"
    assert values["Restart"] == "always"
    assert float(values["TimeoutStopSec"]) > PRODUCTION.grace + 2
    assert values["WorkingDirectory"] == f"/var/lib/{values['StateDirectory']}"
    assert values["ExecStart"].endswith("/laocert run")


def test_the_readers_of_files_may_bound_themselves() -> None:
    """bot/inbound/checking.py and bot/runtime/threads.py use setrlimit and setpriority, which are of
    @resources.
    """
    filters = [value for _, name, value in _directives() if name == "SystemCallFilter"]
    assert filters == ["@system-service", "~@privileged"]
