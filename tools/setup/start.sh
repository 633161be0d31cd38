#!/bin/sh
# Run bootstrap.py with the first Python 3.8 or newer that starts: `make setup`.
#
# The python3 on the PATH may be a pyenv shim that fails because no version is selected, or
# belong to a conda environment that was deleted. -E ignores PYTHONHOME and PYTHONPATH, which a conda
# set-up may point at another interpreter's library.
cd "$(dirname "$0")/../.." || exit 1
runs() { "$1" -E -c 'import sys; sys.exit(sys.version_info < (3, 8))'; }
for python in "${PYTHON3:-python3}" python3 /usr/bin/python3 /usr/local/bin/python3 python3.13 python3.12 python3.11; do
  if runs "$python" >/dev/null 2>&1; then
    exec "$python" -E tools/setup/bootstrap.py
  fi
done
reason=$(runs "${PYTHON3:-python3}" 2>&1 | tail -n 1)
echo "error: No Python 3.8 or newer starts (${reason:-it is older}). Install python3, or name one: PYTHON3=<path> make setup" >&2
exit 1
