"""Seven snapshots of a table that changes: the view shows each, and all stay readable."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from create_current_view import JobFailed
from lake import GROUP

if TYPE_CHECKING:
    from lake import Lake, Table

Item = dict[str, dict[str, Any]]


def n(number: object) -> dict[str, Any]:
    return {"N": str(number)}


def s(text: str) -> dict[str, Any]:
    return {"S": text}


def m(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"M": fields}


# Seven versions of a table, the changes that the run lists for each, and the view's rows.
STORY: list[tuple[list[Item], list[str], list[dict[str, Any]]]] = [
    (
        [
            {
                "id": s("1"),
                "rating": n(5),
                "size": n(10),
                "print": m(pages=n(1)),
                "price": n("1.5"),
            },
            {"id": s("2"), "rating": n(4), "size": n(11), "print": m(pages=n(2)), "price": n(2)},
        ],
        [],
        [
            {"id": "1", "print": {"pages": 1}, "price": Decimal("1.5"), "rating": 5, "size": 10},
            {"id": "2", "print": {"pages": 2}, "price": Decimal(2), "rating": 4, "size": 11},
        ],
    ),
    (
        # One becomes text in one item, one goes, one comes, a struct gains a field.
        [
            {"id": s("1"), "rating": s("good"), "print": m(pages=n(1), year=n(1997))},
            {"id": s("2"), "rating": n(4), "print": m(year=n(1998)), "color": s("red")},
        ],
        [
            "color: new, string, 1 item",
            "price: gone, was decimal(38,1)",
            "print: struct<pages:bigint> -> struct<pages:bigint,year:bigint>",
            "rating: bigint -> string, 1 item",
            "size: gone, was bigint",
        ],
        [
            {"id": "1", "print": {"pages": 1, "year": 1997}, "rating": "good"},
            {"id": "2", "print": {"pages": None, "year": 1998}, "rating": "4", "color": "red"},
        ],
    ),
    (
        # Back to numbers; a whole price still fits the decimal column; a name collides.
        [{"id": s("1"), "rating": n(3), "price": n(7), "COLOR": n(1), "color": s("blue")}],
        [
            "color_2: new, bigint, 1 item",
            "price: new, decimal(38,1), 1 item",
            "print: gone, was struct<pages:bigint,year:bigint>",
            "rating: string -> bigint, 1 item",
        ],
        [{"id": "1", "rating": 3, "price": Decimal(7), "color": "blue", "color_2": 1}],
    ),
    (
        # More digits than the decimal column has; a field changes its type; text becomes a list.
        [
            {
                "id": s("1"),
                "price": n("0.125"),
                "print": m(pages=s("many")),
                "color": {"L": [s("a")]},
            }
        ],
        [
            "color: string -> array<string>, 1 item",
            "color_2: gone, was bigint",
            "price: decimal(38,1) -> decimal(38,3)",
            "print: new, struct<pages:string>, 1 item",
            "rating: gone, was bigint",
        ],
        [{"id": "1", "price": Decimal("0.125"), "print": {"pages": "many"}, "color": ["a"]}],
    ),
    (
        # Nothing but nulls and empty ones: no type changes.
        [
            {
                "id": s("1"),
                "price": {"NULL": True},
                "print": m(),
                "color": {"L": []},
                "rating": {"NULL": True},
            }
        ],
        ["price: gone, was decimal(38,3)"],
        [{"id": "1", "print": {"pages": None}, "color": []}],
    ),
    (
        # Truth, binary, a map in place of a list.
        [{"id": s("1"), "rating": {"BOOL": True}, "size": {"B": b"\x00"}, "color": m(hex=s("f"))}],
        [
            "color: array<string> -> struct<hex:string>, 1 item",
            "print: gone, was struct<pages:string>",
            "rating: new, boolean, 1 item",
            "size: new, binary, 1 item",
        ],
        [{"id": "1", "rating": True, "size": b"\x00", "color": {"hex": "f"}}],
    ),
    (
        # As it began; the prices still fit the last decimal column.
        [
            {
                "id": s("1"),
                "rating": n(5),
                "size": n(10),
                "print": m(pages=n(1)),
                "price": n("1.5"),
            },
            {"id": s("2"), "rating": n(4), "size": n(11), "print": m(pages=n(2)), "price": n(2)},
        ],
        [
            "color: gone, was struct<hex:string>",
            "price: new, decimal(38,3), 2 items",
            "print: new, struct<pages:bigint,year:bigint>, 2 items",
            "rating: boolean -> bigint, 2 items",
            "size: binary -> bigint, 2 items",
        ],
        [
            {
                "id": "1",
                "print": {"pages": 1, "year": None},
                "price": Decimal("1.5"),
                "rating": 5,
                "size": 10,
            },
            {
                "id": "2",
                "print": {"pages": 2, "year": None},
                "price": Decimal(2),
                "rating": 4,
                "size": 11,
            },
        ],
    ),
]


def held(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without their nulls, also in structs, in order."""
    return sorted((without_nulls(row) for row in rows), key=lambda row: str(row["id"]))


def without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: without_nulls(value) if isinstance(value, dict) else value
        for name, value in row.items()
        if value is not None
    }


def expected_rows(rows: list[dict[str, Any]], fmt: str) -> list[dict[str, Any]]:
    """Json keeps binary as base64."""
    if fmt != "json":
        return rows
    return [{k: "AA==" if v == b"\x00" else v for k, v in row.items()} for row in rows]


@pytest.mark.parametrize(
    "fmt",
    ["parquet", *(pytest.param(fmt, marks=pytest.mark.deep) for fmt in ("avro", "json", "orc"))],
)
def test_seven_snapshots_of_a_table_that_changes(
    lake: Lake, capsys: pytest.CaptureFixture[str], fmt: str
) -> None:
    """After each, the view has its rows under the plain names, and no older row has changed."""
    table: Table = lake.table(fmt, [])
    taken: dict[str, list[dict[str, Any]]] = {}
    for items, changes, rows in STORY:
        table.put(items)
        capsys.readouterr()
        manifest = table.run()
        log = [line.split("  ", 1)[1] for line in capsys.readouterr().out.splitlines()]
        assert manifest["changes"] == changes
        assert set(changes) <= set(log)
        assert held(table.view()) == held(expected_rows(rows, fmt))
        for timestamp, former in taken.items():
            assert held(table.snapshot(timestamp)) == former
        timestamp = manifest["snapshot_timestamp"]
        taken[timestamp] = held(table.snapshot(timestamp))
    assert len(taken) == len(STORY)


def test_avro_stays_readable_when_attributes_are_added(lake: Lake) -> None:
    """The schema that a crawler has left in the catalog does not matter."""
    table = lake.table("avro", [{"id": s("1")}])
    first = table.run()["snapshot_timestamp"]
    table.put([{"id": s("1"), "new": n(2), "print": m(pages=n(3))}])
    second = table.run()["snapshot_timestamp"]
    row = {"id": "1", "new": 2, "print": {"pages": 3}}
    assert table.view() == table.snapshot(second) == [row]
    assert table.snapshot(first) == [{"id": "1", "new": None, "print": None}]
    table.put([{"id": s("1"), "print": m(pages=n(3), year=n(4))}])
    table.run()
    assert table.view() == [{"id": "1", "new": None, "print": {"pages": 3, "year": 4}}]
    assert table.snapshot(second) == [{**row, "print": {"pages": 3, "year": None}}]


def test_a_view_that_cannot_be_replaced_still_shows_the_former_snapshot(lake: Lake) -> None:
    """A struct has grown, so the view's columns would no longer match it."""
    table = lake.table("parquet", [{"id": s("1"), "print": m(pages=n(1))}])
    table.run()
    before, catalog = table.view(), table.catalog()
    table.put([{"id": s("1"), "print": m(pages=n(1), year=n(1997))}])
    results = {"ResultConfiguration": {"OutputLocation": "s3://no-such-bucket/"}}
    lake.athena.create_work_group(Name="nowhere", Configuration=results)
    table.work_group = "nowhere"
    with pytest.raises(JobFailed, match=r"query \S+ FAILED"):
        table.run()
    assert table.view() == before
    assert table.catalog() == catalog
    table.work_group = GROUP
    table.run()
    assert table.view() == [{"id": "1", "print": {"pages": 1, "year": 1997}}]


def test_csv_changes_no_type_but_its_columns_stay_in_their_order(lake: Lake) -> None:
    """Its SerDe goes by positions only."""
    table = lake.table("csv", [])
    taken: dict[str, list[dict[str, Any]]] = {}
    order: list[str] = []
    for items, _, rows in STORY:
        table.put(items)
        manifest = table.run()
        names = [column["name"] for column in manifest["schema"]]
        assert names[: len(order)] == order
        assert all(
            content.decode().splitlines()[0].split(",") == names
            for content in table.contents(manifest)
        )
        order = names
        for row, shown in zip(rows, sorted(table.view(), key=lambda row: row["id"]), strict=True):
            for name in ("id", "rating", "size"):
                text = {True: "true", b"\x00": "AA=="}.get(row.get(name, ""), row.get(name, ""))
                assert shown.get(name, "") == str("true" if row.get(name) is True else text)
        for timestamp, former in taken.items():
            read = [{k: v for k, v in row.items() if v} for row in table.snapshot(timestamp)]
            assert sorted(read, key=lambda row: row["id"]) == former
        timestamp = manifest["snapshot_timestamp"]
        now = [{k: v for k, v in row.items() if v} for row in table.snapshot(timestamp)]
        taken[timestamp] = sorted(now, key=lambda row: row["id"])


def test_an_older_snapshot_is_published_with_its_own_types(lake: Lake) -> None:
    """The view has the columns of the newest one, so that no query loses one."""
    from dynoexport.jobs.view import shown_columns
    from dynoexport.storage import manifests

    table = lake.table("parquet", STORY[0][0])
    older = table.run()
    table.put(STORY[1][0])
    newer = table.run()
    first, second = (
        manifests.read(lake.s3, lake.bucket, table.name, "parquet", snapshot["snapshot_timestamp"])
        for snapshot in (older, newer)
    )
    assert first is not None
    assert second is not None
    columns = shown_columns(map(asdict, (*second.columns, *first.columns)))
    assert columns["rating"] == "rating"
    assert shown_columns(map(asdict, second.columns))["rating"] == "rating__string"
    assert "color" in columns
