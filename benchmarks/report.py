"""Writes docs/benchmarks.md and docs/benchmarks.svg from the figures of the last `make bench`.

Runs in the peers' environment (benchmarks/peers.txt), which has matplotlib.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
FIGURES = HERE / "figures"
DOCS = HERE.parent / "docs"
OURS, PEER, FLOOR = "#1f6feb", "#9aa4b2", "#d0d7de"
GENERATED = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def figures(benchmark: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FIGURES / f"{benchmark}.json").read_text())
    return content


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def measured_on(content: dict[str, Any]) -> str:
    machine, versions = content["machine"], content["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{content['date']}, {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gb']:.0f} GB; {named}.\n\n"
    )


def span(spread: dict[str, Any], digits: int = 2) -> str:
    median, least, most = (f"{spread[key]:,.{digits}f}" for key in ("median", "min", "max"))
    return f"{median} ({least} to {most})"


# --- the tables -----------------------------------------------------------------------------------
def reader() -> str:
    content = figures("reader")
    text = measured_on(content)
    for data in content["sets"]:
        rows = data["rows"]
        best = max(row["items_a_cpu_second"] for row in rows if is_peer(row["reader"]))
        text += (
            f"{data['items']:,} {data['data']}, {data['answer_bytes'] / 1e6:,.0f} MB in "
            f"{data['pages']:,} pages, median of {content['rounds']} (least to most):\n\n"
        )
        text += table(
            ["reader", "seconds", "CPU seconds", "items a CPU second", "best peer = 1"],
            [
                [
                    row["reader"],
                    span(row["seconds"]),
                    f"{row['cpu_seconds']['median']:.2f}",
                    f"{row['items_a_cpu_second']:,.0f}",
                    f"{row['items_a_cpu_second'] / best:.1f}",
                ]
                for row in rows
            ],
        )
        text += "\n"
    return text


def is_peer(name: str) -> bool:
    return not name.startswith(("dynoexport", "raw"))


def limiter() -> str:
    content = figures("limiter")
    head = ["scenario", "reader", "seconds", "over in any 10 s", "used", "tail", "throttles"]
    rows = [
        [
            row["scenario"] if row["reader"] == "dynoexport" else "",
            row["reader"],
            f"{row['seconds']:,.0f}",
            f"{row['over_worst']:+.1%}",
            f"{row['used']:.1%}",
            f"{row['tail_worst']:.1%}",
            f"{row['throttles']:,.0f}",
        ]
        for row in content["rows"]
    ]
    lead = (
        f"{content['date']}; {content['seeds']} seeds: medians, "
        "but the worst for over and tail.\n\n"
    )
    return lead + table(head, rows)


def generator() -> str:
    content = figures("generator")
    own = content["processes"]["dynoexport templates"]["median"]
    text = measured_on(content)
    text += table(
        ["whole process", "seconds", "ours = 1"],
        [
            [name, span(spread), f"{spread['median'] / own:.1f}"]
            for name, spread in content["processes"].items()
        ],
    )
    each_table = content["seconds_a_table"]
    text += "\n" + table(
        ["tables from one process", "ms a table"],
        [[f"{int(tables):,}", f"{seconds * 1_000:.1f}"] for tables, seconds in each_table.items()],
    )
    return text


def demo() -> str:
    content = figures("demo")
    rows = [
        [name.replace("  node ", "&nbsp;&nbsp;node "), span(spread, 1)]
        for name, spread in content["steps"].items()
    ]
    return measured_on(content) + table(["step", "seconds"], rows)


# --- the picture ----------------------------------------------------------------------------------
# On dark pages: the ground, the lines and the words; the bars are for both.
DARK = """
@media (prefers-color-scheme: dark) {
  path[style*="fill: #ffffff"] { fill: #14181f !important }
  [style*="stroke: #000000"] { stroke: #c3cad6 !important }
  [id^="text_"] { fill: #eef1f6 }
}
"""


def picture() -> None:
    mpl.rcParams.update(
        {
            "font.family": "sans-serif",
            "font.size": 9,
            "axes.titlesize": 10,
            "svg.hashsalt": "dynoexport",
        }
    )
    sets = figures("reader")["sets"]
    figure, axes = plt.subplots(1, len(sets) + 1, figsize=(12, 3.2), constrained_layout=True)
    for axis, data in zip(axes, sets, strict=False):
        rows = [row for row in data["rows"] if not row["reader"].startswith("raw")][::-1]
        names = [row["reader"].replace("aws-dynamodb-", "") for row in rows]
        values = [row["items_a_cpu_second"] / 1_000 for row in rows]
        colors = [PEER if is_peer(row["reader"]) else OURS for row in rows]
        bars = axis.barh(names, values, color=colors)
        axis.bar_label(bars, fmt="%.1f", padding=3)
        axis.set_title(f"{data['data']}\nthousand items a CPU second", loc="left")
        plain(axis)
    tail(axes[-1])
    path = DOCS / "benchmarks.svg"
    figure.savefig(path, metadata={"Date": None})
    svg = path.read_text(encoding="utf-8")
    path.write_text(svg.replace("</style>", f"{DARK}</style>", 1), encoding="utf-8")


def tail(axis: Any) -> None:
    """Draw the minutes of each reader with one hot key."""
    rows = [row for row in figures("limiter")["rows"] if "1 % of the table" in row["scenario"]]
    first = [row for row in rows if row["scenario"] == rows[0]["scenario"]][::-1]
    bars = axis.barh(
        [row["reader"] for row in first],
        [row["seconds"] / 60 for row in first],
        color=[OURS if row["reader"] == "dynoexport" else PEER for row in first],
    )
    axis.bar_label(bars, fmt="%.0f", padding=3)
    axis.set_title("a key with 1 % of the table\nminutes, simulated", loc="left")
    plain(axis)


def plain(axis: Any) -> None:
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.set_xticks([])
    axis.margins(x=0.18)


def main() -> None:
    page = DOCS / "benchmarks.md"
    parts = {"reader": reader, "limiter": limiter, "generator": generator, "demo": demo}
    text = GENERATED.sub(
        lambda match: f"{match[1]}{parts[match[2]]()}{match[3]}", page.read_text(encoding="utf-8")
    )
    page.write_text(text, encoding="utf-8")
    picture()
    print(f"wrote {page.relative_to(Path.cwd()) if page.is_relative_to(Path.cwd()) else page}")


if __name__ == "__main__":
    main()
