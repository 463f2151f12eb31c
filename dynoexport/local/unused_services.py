"""Services of moto that are imported when something uses them, instead of at the start.

moto's CloudFormation finds the resource types as subclasses, so it imports each service that has
some: https://github.com/getmoto/moto/blob/5.1.0/moto/cloudformation/parsing.py
Stacks of the endpoint cannot have resources of the services below (``cloudformation.handlers``),
and their imports take a third of the start: EC2 parses its instance types and the whole model of
EC2, and API Gateway imports a validator of OpenAPI.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICES = (
    "apigateway",
    "autoscaling",
    "batch",
    "datapipeline",
    "ec2",
    "ecs",
    "efs",
    "elb",
    "elbv2",
    "emr",
    "iot",
    "rds",
    "redshift",
    "route53",
    "sagemaker",
    "ssm",
    "stepfunctions",
)


class _Later(ModuleType):
    """Stands for a module; what is not set here is taken from the module itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _reveal(self.__name__.split(".")[1])
        return getattr(importlib.import_module(self.__name__), name)


class _Backends:
    """Stands for the backends of a service, by account."""

    def __init__(self, package: str, name: str) -> None:
        self._package, self._name = package, name

    def __getitem__(self, account: str) -> Any:
        return getattr(importlib.import_module(self._package), self._name)[account]


@contextmanager
def left_out() -> Iterator[None]:
    """Import moto inside this block without these services, before other threads start.

    If an import uses one of them, it is imported then. After the block, imports are as usual.
    """
    import moto

    for service in SERVICES:
        if f"moto.{service}" not in sys.modules:
            _hide(service, Path(moto.__path__[0]))
    try:
        yield
    finally:
        for service in SERVICES:
            _reveal(service)


def import_all() -> None:
    """Import them now: moto then knows their resource types."""
    for service in SERVICES:
        importlib.import_module(f"moto.{service}.models")


def _hide(service: str, folder: Path) -> None:
    """Put something else in the place of the service's package and its models."""
    package, models = _Later(f"moto.{service}"), _Later(f"moto.{service}.models")
    # Their other modules are found as usual. CloudFormation uses one that is small, of EC2.
    package.__path__ = [str(folder / service)]
    models.__path__ = [str(folder / service / "models")]
    package.models = models  # type: ignore[attr-defined]
    # CloudFormation imports those of SSM by name.
    backends = f"{service}_backends"
    setattr(package, backends, _Backends(package.__name__, backends))
    sys.modules |= {module.__name__: module for module in (package, models)}


def _reveal(service: str) -> None:
    """Let the next import of the service find it."""
    for name in (f"moto.{service}.models", f"moto.{service}"):
        if isinstance(sys.modules.get(name), _Later):
            del sys.modules[name]
