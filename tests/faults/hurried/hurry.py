"""Shorter pauses between two attempts of a call; as many attempts."""

from __future__ import annotations

import time
from types import SimpleNamespace

FASTER = 40


def up() -> None:
    import botocore.endpoint
    import create_current_view
    import export_table

    hurried = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / FASTER))
    botocore.endpoint.time = create_current_view.time = hurried
    export_table.BACKOFF /= FASTER
    export_table.BACKOFF_MAX /= FASTER
