"""awaithumans as it serves, with more connections to Postgres: of its own pool, which has 15 and cannot be set, each completion takes a second one
while it holds the first, and with as many clients as hitl-bench has all of them wait for each other.

    python tasks.py; uvicorn --workers N tasks:app        AWAITHUMANS_… come from the environment
"""

import asyncio

from awaithumans.server.app import create_app
from awaithumans.server.core.config import settings
from awaithumans.server.db import connection
from sqlalchemy.ext.asyncio import create_async_engine

connection._async_engine = create_async_engine(settings.database_url_async, pool_size=80, max_overflow=0)

if __name__ == "__main__":  # makes the tables
    asyncio.run(connection.init_db())
else:
    app = create_app()
