"""pyarrow, where Glue has a version that can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.formats import COLUMNAR_FORMATS, LINE_FORMATS

if TYPE_CHECKING:
    from dynoexport.jobs.settings import Settings

# Arrow reads JSON into columns without an object for each value. Glue ships it
# (https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html); versions
# 7, 10, 12 and 26 were tried. Without it, the items stay the JSON that DynamoDB sent, and Spark
# writes the files.
PYARROW_MIN = 7


def arrow() -> Any:  # noqa: ANN401 - pyarrow carries no types
    """pyarrow; None if Glue has no usable version."""
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.json
    except ImportError:
        return None
    return pa if int(pa.__version__.split(".")[0]) >= PYARROW_MIN else None


def check_library(settings: Settings) -> None:
    """Check that a Python shell job has the library that writes its files.

    Of the analytics libraries, AWS lists awswrangler 2.15.1, which needs pyarrow
    (https://docs.aws.amazon.com/glue/latest/dg/add-job-python.html,
    https://github.com/aws/aws-sdk-pandas/blob/2.15.1/pyproject.toml).

    Raises:
        JobFailed: it is missing or too old.
    """
    if settings.is_python and settings.format not in LINE_FORMATS and arrow() is None:
        raise JobFailed(
            f"Engine python needs pyarrow {PYARROW_MIN} or later for {settings.format}: in a VPC "
            "without a way to PyPI, put its wheel into the bucket and name it in the job's "
            "--extra-py-files, or choose Engine spark"
        )


def takes_arrow(settings: Settings) -> bool:
    """Whether the items are read as columns, because the format has them."""
    return settings.format in COLUMNAR_FORMATS and arrow() is not None
