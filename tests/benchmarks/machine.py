"""The PostgreSQL that everything is measured on: one server for the service and all that it is compared with.

Sized to the machine by the usual rules, since the defaults are those of a machine of 1995: with 128 MB of buffers both
sides would mostly measure the file system. Durability is untouched: a commit is on disk.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

MB = 1 << 20
_TICKS_PER_SECOND = 100  # of which Linux tells


def memory_bytes() -> int:
    """The machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def cores() -> int:
    """The machine's cores, which PostgreSQL may use, and so the service and the bare application."""
    return os.cpu_count() or 1


def postgres_settings() -> Mapping[str, str]:
    """A quarter of the memory for shared buffers, three quarters assumed cached; SSD; every core for parallel query."""
    memory = memory_bytes()
    return {
        "shared_buffers": f"{memory // 4 // MB}MB",
        "effective_cache_size": f"{memory * 3 // 4 // MB}MB",
        "work_mem": "64MB",  # the comparators' sorts and hashes stay in memory
        "maintenance_work_mem": "1GB",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "64",
        "max_connections": "200",
        "max_wal_size": "16GB",  # no checkpoint in the middle of one contestant's turn
        "checkpoint_timeout": "30min",
        "max_worker_processes": "16",
        "max_parallel_workers": str(cores()),
        "max_parallel_workers_per_gather": str(cores()),
        "shared_preload_libraries": "auto_explain,pg_stat_statements",
        "pg_stat_statements.track": "top",
        "file_copy_method": "clone",
    }


def processor_seconds(*, with_own: bool) -> float:
    """Processor time of all that this process has started: the service, the bare application, PostgreSQL.

    And of this process, if `with_own`. Other work on the machine makes answers later, but takes no part in this.
    """
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for pid, parent, seconds in _processes():
        parents[pid], used[pid] = parent, seconds
    started = sum(seconds for pid, seconds in used.items() if _descends(pid, parents))
    return started + time.process_time() if with_own else started


def _processes() -> Iterator[tuple[int, int, float]]:
    """Each process, its parent, and its processor time with that of its children that have ended."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            yield int(path.parent.name), int(fields[1]), sum(map(int, fields[11:15])) / _TICKS_PER_SECOND


def _descends(pid: int, parents: Mapping[int, int]) -> bool:
    while (pid := parents.get(pid, 0)) > 0:
        if pid == os.getpid():
            return True
    return False
