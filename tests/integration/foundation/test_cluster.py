"""Embedded PostgreSQL: held by one, and back after a kill."""

import os
import signal

import psycopg
import pytest

from bailee.foundation.cluster import DataDirectory
from bailee.foundation.errors import ConfigurationError
from tests.postgres import data_directory, new_cluster


def test_second_start_on_one_data_directory_is_refused() -> None:
    with data_directory() as data:
        with DataDirectory(data), pytest.raises(ConfigurationError, match="already running"), DataDirectory(data):
            pass
        with DataDirectory(data):
            pass


def test_killed_server_comes_back_with_every_committed_row() -> None:
    with data_directory() as data:
        cluster = new_cluster("main", data)
        cluster.start()
        try:
            with psycopg.connect(cluster.owner_conninfo) as connection:
                connection.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
            lost = psycopg.connect(cluster.owner_conninfo)
            lost.execute("INSERT INTO t VALUES (-1)")
            assert cluster.process is not None
            os.kill(cluster.process.pid, signal.SIGKILL)
            cluster.process.wait(10)
            lost.close()
            cluster.keep_alive()
            with psycopg.connect(cluster.owner_conninfo) as connection:
                assert connection.execute("SELECT count(*), min(n) FROM t").fetchone() == (1000, 1)
        finally:
            cluster.stop()
