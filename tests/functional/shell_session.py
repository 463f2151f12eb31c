"""The shell sessions that a page shows: their commands run, and what they print is compared.

``python tests/functional/shell_session.py docs/tour.md`` writes the page's outputs anew. For
docs/tutorial.md, it also writes them into the translation, docs/tutorial.ja.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from waiting_lines import without_waiting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
# A command with its continuation lines, and the indented lines below it until the next command.
STEP = re.compile(
    r"^ {4}\$ (?P<command>(?:.*\\\n {4})*.*)\n(?P<output>(?: {4}(?!\$ ).*\n|\n(?= {4}(?!\$ )))*)",
    re.MULTILINE,
)
TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?Z?"
DURATION = r"[\d,]+(?:\.\d+)? (?:s|min|h|d)(?: \d+ (?:s|min|h))?\b"
VARIES = (
    (TIME, "TIME"),
    (r"wr_[0-9a-f]+", "RUN"),
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
    (r"\b(?=[0-9a-f]*\d)[0-9a-f]{16}\b", "HASH"),
    (r"part-[0-9a-f]{8}-", "part-ID-"),
    (DURATION, "DURATION"),
    (r"[\d.,]+ (?:B|KiB|MiB)(?= |$)|\b[1-9][\d,]* bytes", "SIZE"),
    (r"[\d.,]+ DPU-s", "DPU-SECONDS"),
    (r"\$[\d.]+", "DOLLARS"),
    (r"(dynoexport|Python|boto3|troposphere) [\d.]+\d", r"\1 VERSION"),
    (r"─+", "─"),
)


class Step(NamedTuple):
    """A command of a page, and the lines that the page shows below it."""

    command: str
    output: list[str]


def read_steps(page: str) -> list[Step]:
    return [Step(_command(match), _lines(match["output"])) for match in STEP.finditer(page)]


def _command(found: re.Match[str]) -> str:
    return found["command"].replace("\n    ", "\n")


def _lines(output: str) -> list[str]:
    return [line.removeprefix("    ") for line in output.rstrip("\n").splitlines()]


def run_command(command: str, env: Mapping[str, str], cwd: Path = ROOT) -> list[str]:
    """The lines that the command prints, on stdout and stderr."""
    scripts = str(Path(sys.executable).parent)
    base = {
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "HOME": os.environ["HOME"],
        # Lines of stdout and stderr in the order in which a terminal shows them.
        "PYTHONUNBUFFERED": "1",
    }
    done = subprocess.run(
        ["bash", "-c", command],
        env={**base, **env},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    lines = without_waiting(done.stdout).rstrip("\n").splitlines()
    fails_as_shown = any(line.startswith("Error: ") for line in lines)
    assert done.returncode == 0 or fails_as_shown, f"{command}\n{done.stdout}"
    return lines


# A crawl may be over before anybody looks.
PASSING = re.compile(r"\s*(?:job|crawler) \S+ RUNNING")


def normalise(lines: list[str]) -> list[str]:
    """The lines without what differs from one run to the next."""
    found = []
    for line in lines:
        if PASSING.fullmatch(line):
            continue
        text = line
        for pattern, name in VARIES:
            text = re.sub(pattern, name, text)
        found.append(re.sub(r"\s+", " ", text).strip())
    return found


def rewrite(page: str, env: Mapping[str, str]) -> str:
    """The page with the outputs that its commands print now."""

    def one(found: re.Match[str]) -> str:
        printed = run_command(_command(found), env)
        # A command that shows no output keeps none.
        shown = printed if found["output"].strip() else []
        lines = "".join(f"    {line}".rstrip() + "\n" for line in shown)
        return f"    $ {found['command']}\n{lines}{_gap(found['output'])}"

    return STEP.sub(one, page)


def _gap(output: str) -> str:
    """The empty lines at the end of an output."""
    return "\n" * (len(output) - len(output.rstrip("\n")) - bool(output.strip()))


def copy_sessions(page: str, translation: str) -> str:
    """The translation with the commands and outputs of the page, one by one."""
    sessions = (found[0] for found in STEP.finditer(page))
    return STEP.sub(lambda _: next(sessions), translation)


def environment() -> Iterator[dict[str, str]]:
    """The environment of an empty account on an endpoint of its own."""
    import started_endpoint

    with started_endpoint.start() as endpoint:
        yield endpoint.env


def main(path: Path) -> None:
    for env in environment():
        path.write_text(rewrite(path.read_text(encoding="utf-8"), env), encoding="utf-8")
    translation = path.with_suffix(".ja.md")
    if translation.exists():
        page = path.read_text(encoding="utf-8")
        text = copy_sessions(page, translation.read_text(encoding="utf-8"))
        translation.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))
    main(Path(sys.argv[1]))
