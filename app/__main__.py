"""`python3 -m app [command …]`: the service with demo data, or any other command, on nothing but Python."""

import sys

from app.bootstrap import run

if __name__ == "__main__":
    run("requirements.lock", ["-m", "app.cli", *(sys.argv[1:] or ["demo"])])
