"""Start a program that refuses to run as root."""

import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

#: "nobody": inside of a namespace only, the files stay root's; without namespaces really.
UID: Final = 65_534


def unprivileged() -> Callable[[], None] | None:
    """Return what a child calls before its program, or None if this user isn't root.

    PostgreSQL refuses to run as root. In a new user namespace, root has another number
    (user_namespaces(7)). Some containers forbid namespaces: there, the child becomes "nobody".
    """
    if os.geteuid() != 0:
        return None
    return _enter_namespace if has_namespaces() else _become_nobody


def own(folder: Path) -> None:
    """Create a folder that the child can write."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0 and not has_namespaces():
        os.chown(folder, UID, UID)


@cache
def has_namespaces() -> bool:
    """Return whether a child may enter a new user namespace."""
    try:
        subprocess.run(["/bin/true"], check=True, preexec_fn=_enter_namespace)
    except (subprocess.SubprocessError, OSError):
        return False
    return True


def _enter_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    os.unshare(os.CLONE_NEWUSER)
    # The group's map needs this first, without the capability in the parent namespace.
    Path("/proc/self/setgroups").write_text("deny", "ascii")
    Path("/proc/self/uid_map").write_text(f"{UID} {user} 1", "ascii")
    Path("/proc/self/gid_map").write_text(f"{UID} {group} 1", "ascii")


def _become_nobody() -> None:
    os.setgroups([])
    os.setgid(UID)
    os.setuid(UID)
