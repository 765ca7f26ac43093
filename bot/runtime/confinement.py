"""Hides a process from others of the same user, and permanently drops what it may open or start.

Both use mechanisms of the operating system that need no privileges (docs/adr/0090). Hiding works only on Linux.
"""

import os
import sys

# prctl(2), linux/prctl.h.
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38


def hide() -> None:
    """Hide this process's memory, environment and open files from other processes of the same user.

    /proc/PID/environ, mem and fd then belong to root, only root can trace the process, and no core is dumped.
    Programs that it starts are not hidden (PR_SET_DUMPABLE of prctl(2)). Does nothing except on Linux. Raises
    RuntimeError when the system refuses it.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)


def give_up_everything() -> None:
    """Restrict this process to standard input, output and error: it can no longer open or start anything.

    It can open no file, socket or pipe, so that it can neither read the user's files nor inspect another process
    through /proc. All modules must be imported before. The limits are those of OpenSSH's sandbox-rlimit.c; a
    lowered limit cannot be raised again without CAP_SYS_RESOURCE. Does nothing on Windows. Raises RuntimeError
    when the system refuses it.
    """
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - is not on every system

        hide()
        # uvloop ignores `close_fds`: the process inherits open files and ends of uvloop's own pipes.
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        if sys.platform == "linux":
            _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        for limit in (resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
            resource.setrlimit(limit, (0, 0))


def _prctl(option: int, value: int) -> None:
    """Call prctl(2), and raise RuntimeError when it fails, so that a process never only seems hidden."""
    import ctypes  # noqa: PLC0415 - 2 ms, which not every command needs

    system = ctypes.CDLL(None, use_errno=True)
    arguments = [ctypes.c_ulong(number) for number in (value, 0, 0, 0)]
    if system.prctl(option, *arguments):
        raise RuntimeError(f"prctl({option}, {value}) is refused: {os.strerror(ctypes.get_errno())}")
