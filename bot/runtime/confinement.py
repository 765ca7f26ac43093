"""What a process keeps from others of its user, and what it gives up for good.

Both are the system's own means and need no privileges. Hiding is Linux's; elsewhere it does nothing.
"""

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
    """From now on this process can open nothing, no file, no socket, no pipe, and start nothing; it goes on
    reading and writing what is open. So it can neither read a file of its user nor look into another process by
    /proc.

    The limits are those of OpenSSH's sandbox-rlimit.c. A limit that was lowered cannot be raised again without
    CAP_SYS_RESOURCE. Whatever must be imported must have been.
    """
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - is not on every system

        hide()
        if sys.platform == "linux":
            _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        for limit in (resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
            resource.setrlimit(limit, (0, 0))


def _prctl(option: int, value: int) -> None:
    """Raises OSError."""
    import ctypes  # noqa: PLC0415 - 2 ms, which not every command needs

    system = ctypes.CDLL(None, use_errno=True)
    arguments = [ctypes.c_ulong(one) for one in (value, 0, 0, 0)]
    if system.prctl(option, *arguments):
        raise OSError(ctypes.get_errno(), "prctl")
