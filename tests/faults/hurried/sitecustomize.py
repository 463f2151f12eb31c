"""First on the path of Spark's Python workers: who is refused comes back sooner than on AWS."""

from __future__ import annotations

import hurry

hurry.up()
