"""The PostgreSQL that everything is measured on: one server for the service and all that it is compared with.

Sized to the machine by the usual rules, since the defaults are those of a machine of 1995: with 128 MB of buffers both
sides would mostly measure the file system. Durability is untouched: a commit is on disk.
"""

import os
from collections.abc import Mapping

MB = 1 << 20


def memory_bytes() -> int:
    """The machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def postgres_settings() -> Mapping[str, str]:
    """A quarter of the memory for shared buffers, three quarters assumed cached; SSD; every core for parallel query."""
    memory, cores = memory_bytes(), os.cpu_count() or 1
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
        "max_parallel_workers": str(cores),
        "max_parallel_workers_per_gather": str(cores),
        "shared_preload_libraries": "auto_explain,pg_stat_statements",
        "pg_stat_statements.track": "top",
        "file_copy_method": "clone",
    }
