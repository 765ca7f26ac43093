"""What a process keeps from others of its user, and what it gives up for good.

Both are the system's own means and need no privileges. Hiding is Linux's; elsewhere it does nothing.
"""

import os
import sys

# prctl(2), linux/prctl.h.
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38


def hide() -> None:
    """Keep this process's memory, environment and open files from every other process of the same user: from now
    on /proc/PID/environ, mem and fd are root's, nobody but root can trace it, and no core is dumped. A program
    that this one starts is not hidden by it (PR_SET_DUMPABLE of prctl(2)).
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)


def give_up_everything() -> None:
    """From now on this process has its standard input, output and errors, and can open nothing else, no file, no
    socket, no pipe, and start nothing. So it can neither read a file of its user nor look into another process
    by /proc.

    The limits are those of OpenSSH's sandbox-rlimit.c. A limit that was lowered cannot be raised again without
    CAP_SYS_RESOURCE. Whatever must be imported must have been.
    """
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - is not on every system

        hide()
        # uvloop hands on whatever is inheritable, and ends of its own pipes: it does not heed `close_fds`.
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        if sys.platform == "linux":
            _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        for limit in (resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
            resource.setrlimit(limit, (0, 0))


def _prctl(option: int, value: int) -> None:
    """Raises RuntimeError where the system refuses it: a program that cannot hide must not seem to."""
    import ctypes  # noqa: PLC0415 - 2 ms, which not every command needs

    system = ctypes.CDLL(None, use_errno=True)
    arguments = [ctypes.c_ulong(one) for one in (value, 0, 0, 0)]
    if system.prctl(option, *arguments):
        raise RuntimeError(f"prctl({option}, {value}) is refused: {os.strerror(ctypes.get_errno())}")
