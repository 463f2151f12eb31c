"""What the emulator leaves out at its start, and that nothing misses it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from dynoexport.local import unused_services

if TYPE_CHECKING:
    from cloud import Cloud

# A process of its own: in this one, other tests have imported moto.
START = """
import json, sys
from dynoexport.local import loading
with loading.quickly():
    from dynoexport.local import server
server.install()
names = [*(f"moto.{name}.models" for name in SERVICES), "duckdb", "pyarrow", "sqlglot"]
imported = [name for name in names if name in sys.modules]
from moto.cloudformation import parsing
from dynoexport.local.cloudformation import template_checks
by_name = type(parsing.ssm_backends["123456789012"]["us-east-1"]).__module__
template_checks.check_template({"Resources": {"One": {"Type": "AWS::EC2::Instance"}}}, {})
import moto.ec2
from moto.ec2.models.core import TaggedEC2Resource
same = TaggedEC2Resource is parsing.TaggedEC2Resource
from dynoexport.local.glue import late_imports
late_imports.run()
import pyarrow
pyarrow.array([1])
imported += [name for name in ("pandas",) if name in sys.modules]
print(json.dumps([imported, by_name, moto.ec2.__file__ is not None, same]))
"""


def test_what_the_start_does_not_need_is_imported_when_it_is_used() -> None:
    """The types of services are known, and whoever imports one later has all of it."""
    script = f"SERVICES = {unused_services.SERVICES}\n{START}"
    answer = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    imported, ssm, has_file, same = json.loads(answer.stdout)
    assert imported == []
    assert ssm == "moto.ssm.models"
    assert has_file
    assert same


def test_templates_may_have_types_that_no_stack_can_have(cloud: Cloud) -> None:
    """As on AWS, the types of all services are valid in a template."""
    template = {"Resources": {"One": {"Type": "AWS::EC2::Instance"}}}
    cloud.api.validate_template(TemplateBody=json.dumps(template))
