"""An endpoint with a clock that moves forward by the seconds in each line of input."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone

from dynoexport.local import loading

with loading.quickly():
    from dynoexport.local import server

ahead = timedelta()


def now() -> datetime:
    return datetime.now(timezone.utc) + ahead


with server.serve(0, now=now) as endpoint:
    sys.stdout.write(f"{endpoint.url}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        ahead += timedelta(seconds=float(line))
        sys.stdout.write(f"{now():%Y-%m-%dT%H:%M:%SZ}\n")
        sys.stdout.flush()
