"""The scripts are built from modules: what one file cannot reproduce is refused by name."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from dynoexport.jobs import bundle

ROOT = Path(__file__).parents[2]
HEAD = '"""What the job does."""\n\nfrom __future__ import annotations\n\n'
MAIN = '\n\nif __name__ == "__main__":\n    print(main())\n'


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a package of jobs; ``put`` adds modules to it."""
    monkeypatch.setattr(bundle, "JOBS", {"job.py": "main"})
    return tmp_path


def put(folder: Path, **modules: str) -> None:
    """Write modules: ``scan__task`` is ``dynoexport/jobs/scan/task.py``."""
    for name, text in modules.items():
        path = folder / "dynoexport" / "jobs" / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + text)


def refusal(folder: Path) -> str:
    with pytest.raises(bundle.BundleError) as refused:
        bundle.build(folder, "job.py")
    return str(refused.value)


# --- what is built --------------------------------------------------------------------------------
@pytest.mark.parametrize("script", bundle.JOBS)
def test_scripts_are_what_their_modules_build(script: str) -> None:
    """`make templates` writes them."""
    built = bundle.build(ROOT, script)
    assert (ROOT / "scripts" / script).read_bytes() == built.encode()


def test_a_script_runs_alone(package: Path) -> None:
    put(
        package,
        main="import json\n\nfrom dynoexport.jobs.scan.task import read\n\n\n"
        f"def main() -> str:\n    return json.dumps(read()){MAIN}",
        scan__task="import os\nfrom dynoexport.jobs.limits import LIMIT\n\n\n"
        "def read() -> list[object]:\n    return [LIMIT, os.sep]\n",
        limits="LIMIT = 7\n",
    )
    script = package / "job.py"
    script.write_text(bundle.build(package, "job.py"))
    alone = [sys.executable, "-I", script]
    done = subprocess.run(alone, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == '[7, "/"]\n'


def test_each_part_follows_the_parts_that_it_imports_below_a_heading(package: Path) -> None:
    put(
        package,
        main="from dynoexport.jobs.b import B\n\nMAIN = B\n",
        b="from dynoexport.jobs.a import A\n\nB = A\n",
        a="A = 1\n",
    )
    text = bundle.build(package, "job.py")
    rulers = [line for line in text.splitlines() if line.startswith("# --- ")]
    assert [len(line) for line in rulers] == [100, 100, 100]
    assert [line.split()[2] for line in rulers] == [
        "dynoexport/jobs/a.py",
        "dynoexport/jobs/b.py",
        "dynoexport/jobs/main.py",
    ]


def test_imports_stand_once_and_those_for_annotations_apart(package: Path) -> None:
    put(
        package,
        main="import json\nfrom typing import TYPE_CHECKING, Any\n\n"
        "from dynoexport.jobs.a import A\n\nif TYPE_CHECKING:\n"
        "    import pyarrow as pa\n    from decimal import Decimal\n\n"
        "def main(a: Any, b: Decimal, c: pa.Array) -> None:\n    json.dumps(A)\n",
        a="import json\nfrom decimal import Decimal\n\nA = json.dumps(str(Decimal(1)))\n",
    )
    text = bundle.build(package, "job.py")
    assert text.count("import json\n") == text.count("import Decimal\n") == 1
    assert "from typing import TYPE_CHECKING, Any\n" in text
    assert text.partition("if TYPE_CHECKING:\n")[2].splitlines()[0] == "    import pyarrow as pa"


def test_a_module_that_only_annotations_need_is_part_of_the_script(package: Path) -> None:
    """Dataclasses look their annotations up, and so may a reader of the script."""
    put(
        package,
        main="from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n"
        "    from dynoexport.jobs.a import A\n\n\ndef main(a: A) -> None: ...\n",
        a="class A: ...\n",
    )
    assert "class A: ..." in bundle.build(package, "job.py")


@pytest.mark.parametrize("script", bundle.JOBS)
def test_the_names_of_a_module_are_those_that_python_sees(script: str) -> None:
    """Most modules are read without a parser."""
    for module in bundle.in_order(ROOT, f"dynoexport.jobs.{bundle.JOBS[script]}").values():
        names = {}
        for node in ast.parse((ROOT / module.path).read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names[node.name] = node.lineno
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            found = (name for target in targets if target for name in ast.walk(target))
            names.update({name.id: node.lineno for name in found if isinstance(name, ast.Name)})
        assert module.lines == names, module.path


@pytest.mark.parametrize(
    "text",
    [
        "TEXT = '''\nread = 1\n'''\n",
        'TEXT = """\nread = 1"""\n',
        'TEXT = (\n    """\nread = 1\n"""\n)\n',
        "TEXT = [read for read in ()]\n",
        "TEXT = 1 + \\\n0\n# read = 1\n",
        "def f() -> None:\n    read = 1\n",
    ],
)
def test_what_only_looks_like_a_definition_may_have_the_name_of_another(
    package: Path, text: str
) -> None:
    main = "from dynoexport.jobs.a import *\n\n\ndef read() -> None: ...\n"
    put(package, main=main.replace("*", "TEXT" if "TEXT" in text else "f"), a=text)
    assert text in bundle.build(package, "job.py")


# --- what is refused ------------------------------------------------------------------------------
def test_two_modules_that_define_one_name_are_refused_with_both_places(package: Path) -> None:
    put(
        package,
        main="from dynoexport.jobs.a import other\n\n\ndef read() -> None:\n    other()\n",
        a="def other() -> None: ...\n\n\ndef read() -> None: ...\n",
    )
    assert refusal(package) == (
        "dynoexport/jobs/main.py:8: read is also defined in dynoexport/jobs/a.py:8: rename one"
    )


@pytest.mark.parametrize(
    "text",
    [
        "read: int = 1",
        "read: dict[str, int] = {}",
        "read: int",
        "read, write = 1, 2",
        "write, read = 1, 2",
        "(write, read) = 1, 2",
        "write = read = 1",
        "(write := 1, read := 2)",
        "write = 1; read = 2",
        "@f\ndef read(): ...",
        "class read: ...",
        "def f(): ...\nread = f()",
        "try: read = 1\nfinally: x = 2",
    ],
)
def test_a_name_is_defined_once_however_it_is_defined(package: Path, text: str) -> None:
    put(
        package,
        main="from dynoexport.jobs.a import f\n\n\ndef read() -> None: ...\n",
        a=f"{text}\n",
    )
    assert "rename one" in refusal(package) or "put only functions" in refusal(package)


def test_a_name_that_another_module_imports_is_refused(package: Path) -> None:
    put(
        package,
        main="from dynoexport.jobs.a import other\n\njson = other\n",
        a="import json\n\nother = json.dumps(1)\n",
    )
    assert "json is also imported in dynoexport/jobs/a.py" in refusal(package)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import dynoexport.jobs.a\n", "import only names of dynoexport.jobs modules"),
        ("from dynoexport import limits\n", "import only names of dynoexport.jobs modules"),
        ("from dynoexport.limits import X\n", "import only names of dynoexport.jobs modules"),
        ("from dynoexport.jobs.a import A as B\n", "without an alias"),
        ("from dynoexport.jobs.a import *\n", "import each name by its module's full name"),
        ("from .a import A\n", "import each name by its module's full name"),
        ("X = 1\nimport json\n", "put imports at the top of the module"),
        (
            "def f() -> None:\n    from dynoexport.jobs.a import A\n",
            "put imports at the top of the module",
        ),
        (
            "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    X = int\n",
            "put only imports under TYPE_CHECKING",
        ),
        ("from dynoexport.jobs.nothing import A\n", "dynoexport/jobs/nothing.py does not exist"),
        ("import sys; X = 1\n", "put each statement on a line of its own"),
        ("if 1:\n    def f() -> None: ...\n", "put only functions, classes and assignments"),
        ("async def f() -> None: ...\n", "put only functions, classes and assignments"),
    ],
)
def test_an_import_that_one_file_cannot_have_is_refused_with_its_line(
    package: Path, text: str, reason: str
) -> None:
    put(package, main=text, a="A = 1\n")
    assert refusal(package).startswith("dynoexport/jobs/")
    assert reason in refusal(package)


@pytest.mark.parametrize(
    "lines",
    [
        ["class C:", "    def f(self) -> None:", "        {}"],
        ["def f() -> None:", "    try: ...", "    except OSError:", "        {}"],
        ["def f() -> None:", "    try: ...", "    finally:", "        {}"],
        ["def f() -> None:", "    for _ in ():", "        pass", "    else:", "        {}"],
        ["def f(x: int) -> None:", "    match x:", "        case 1:", "            {}"],
        ["def f() -> None:", "    with x:", "        while y:", "            {}"],
        ["def f() -> None:", "    if x: y = 1; {}"],
        ["def f() -> None: {}"],
        ["class C: x = 1; {}"],
    ],
)
def test_an_own_import_is_refused_wherever_it_stands(package: Path, lines: list[str]) -> None:
    text = "\n".join(lines).format("from dynoexport.jobs.a import A") + "\n"
    put(package, main=text, a="A = 1\n")
    assert "put imports at the top of the module" in refusal(package)


def test_a_module_that_has_changed_is_built_anew(package: Path) -> None:
    main = "from dynoexport.jobs.a import A\n\nMAIN = A\n"
    for value in ("A = 1\n", "A = 2\n"):
        put(package, main=main, a=value)
        assert value in bundle.build(package, "job.py")


def test_a_library_that_a_function_imports_is_left_there(package: Path) -> None:
    """Importing boto3 and pyspark costs time, also if they are not needed."""
    put(package, main="def f() -> None:\n    import boto3\n\n    boto3.client('s3')\n")
    assert "    import boto3\n" in bundle.build(package, "job.py")


def test_one_name_from_two_libraries_is_refused(package: Path) -> None:
    put(
        package,
        main="from json import loads\n\nfrom dynoexport.jobs.a import A\n\nMAIN = loads, A\n",
        a="from marshal import loads\n\nA = loads\n",
    )
    assert "loads comes from json here, but from marshal in" in refusal(package)


def test_a_module_that_is_no_job_runs_nothing(package: Path) -> None:
    main = "from dynoexport.jobs.a import A\n\nMAIN = A\n"
    put(package, main=main, a=f"A = 1\n\n\ndef main() -> int:\n    return A{MAIN}")
    assert "put only functions, classes and assignments" in refusal(package)


def test_a_character_that_looks_like_the_end_of_a_line_stays(package: Path) -> None:
    put(package, main="MAIN = '''a\u2028b'''\n")
    assert "a\u2028b" in bundle.build(package, "job.py")


def test_modules_that_import_each_other_are_refused(package: Path) -> None:
    put(
        package,
        main="from dynoexport.jobs.a import A\n\nMAIN = A\n",
        a="from dynoexport.jobs.main import MAIN\n\nA = MAIN\n",
    )
    assert refusal(package).startswith("circular import: dynoexport.jobs.")


def test_a_module_without_a_docstring_is_refused(package: Path) -> None:
    put(package, main="X = 1\n")
    (package / "dynoexport/jobs/main.py").write_text("X = 1\n")
    assert refusal(package) == "dynoexport/jobs/main.py:1: begin the module with a docstring"
