"""CloudFormation on the endpoint, whose stacks go with the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cloud import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint


@pytest.fixture
def cloud(endpoint: Endpoint) -> Iterator[Cloud]:
    """CloudFormation; the stacks of a test go with it."""
    cloud = Cloud(endpoint)
    yield cloud
    for stack in reversed(cloud.stacks):
        cloud.api.delete_stack(StackName=stack)
