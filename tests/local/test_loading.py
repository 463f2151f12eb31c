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
imported = [name for name in SERVICES if f"moto.{name}.models" in sys.modules]
from moto.cloudformation import parsing
from dynoexport.local.cloudformation import template_checks
by_name = type(parsing.ssm_backends["123456789012"]["us-east-1"]).__module__
template_checks.check_template({"Resources": {"One": {"Type": "AWS::EC2::Instance"}}}, {})
import moto.ec2
from moto.ec2.models.core import TaggedEC2Resource
same = TaggedEC2Resource is parsing.TaggedEC2Resource
print(json.dumps([imported, by_name, moto.ec2.__file__ is not None, same]))
"""


def test_services_without_resources_are_imported_when_they_are_used() -> None:
    """Their resource types are known, and whoever imports one later has the whole service."""
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
