"""`python3 -m tests [pytest's arguments …]`: the tests, on nothing but Python."""

import sys

from app.bootstrap import prepare, run

LOCK = "tests/requirements.lock"
# More than four workers bring nothing: each clones databases on the one server.
PYTEST = ["-m", "pytest", "--numprocesses=logical", "--maxprocesses=4"]

if __name__ == "__main__":
    if sys.argv[1:] == ["--install-only"]:
        print(prepare(LOCK))
    else:
        run(LOCK, [*PYTEST, *sys.argv[1:]])
