"""`python3 -m tests.benchmarks [options]`: the benchmark, on nothing but Python and a network; see the README here."""

import os
import subprocess
import sys

from app.bootstrap import PROJECT, prepare

LOCK = "tests/requirements.lock"
# As pyproject.toml's optional dependencies `benchmarks`: not in the lock file, for nothing else needs it.
DUCKDB = "duckdb>=2.0,<3"

if __name__ == "__main__":
    python = prepare(LOCK)
    is_wanted = "--without-duckdb" not in sys.argv
    if is_wanted and subprocess.run([python, "-c", "import duckdb"], check=False, capture_output=True).returncode != 0:
        print(f"Installing {DUCKDB}, which the benchmark compares with (once)", file=sys.stderr, flush=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", DUCKDB]
        if subprocess.run(pip, check=False).returncode != 0:
            raise SystemExit("DuckDB was not installed; pip says above why. `--without-duckdb` measures without it.")
    os.chdir(PROJECT)
    os.execv(python, [str(python), "-m", "tests.benchmarks.run", *sys.argv[1:]])
