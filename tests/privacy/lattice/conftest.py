import duckdb
import pytest


@pytest.fixture(scope="session")
def connection():
    with duckdb.connect() as opened:
        yield opened
