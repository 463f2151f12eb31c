"""What ``doctor`` concludes from what it has read."""

from __future__ import annotations

import pytest

from dynoexport.operations.doctor import FAILED, OK, WARNING, quota_finding

INCREASE = "request an increase in the Service Quotas console, AWS Glue"


@pytest.mark.parametrize(
    ("kind", "used", "state", "detail", "hint"),
    [
        ("workflows", 1, OK, "1 of 1,000 used, room for 999 exports", ""),
        ("jobs", 999, FAILED, "999 of 1,000 used, room for 0 exports", INCREASE),
        (
            "triggers",
            3,
            OK,
            "3 of 1,000 used, room for 332 exports, or 498 without a crawler",
            "",
        ),
        (
            "triggers",
            998,
            WARNING,
            "998 of 1,000 used, room for 0 exports, or 1 without a crawler",
            f"deploy with --catalog-update direct, or {INCREASE}",
        ),
        ("triggers", 999, FAILED, "999 of 1,000 used, room for 0 exports", INCREASE),
        ("triggers", 1_001, FAILED, "1,001 of 1,000 used, room for 0 exports", INCREASE),
    ],
)
def test_quota_has_room_for_exports_with_and_without_crawler(
    kind: str, used: int, state: str, detail: str, hint: str
) -> None:
    assert quota_finding(kind, used, 1_000) == (state, detail, hint)
