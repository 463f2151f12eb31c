"""pyarrow, where Glue has a version that can be used."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.formats import LINE_FORMATS

if TYPE_CHECKING:
    from dynoexport.jobs.settings import Settings

# Arrow reads JSON into columns without an object for each value. Glue ships it
# (https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html); versions
# 7, 10, 12 and 26 were tried. Spark accepts its batches since 3.3. Without it, the items stay the
# JSON that DynamoDB sent.
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


def takes_arrow(settings: Settings) -> bool:
    """Whether this Spark accepts Arrow batches, and the format is written from Spark's rows."""
    from pyspark.sql import DataFrame

    if settings.format in LINE_FORMATS or not hasattr(DataFrame, "mapInArrow"):
        return False
    # Spark requires pandas too, though nothing here uses it.
    return arrow() is not None and importlib.util.find_spec("pandas") is not None
