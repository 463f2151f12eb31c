"""What runs inside AWS Glue: the export job and the view job.

Glue runs one file for each job. ``bundle`` builds both from these modules:
``scripts/export_table.py`` from ``export``, ``scripts/create_current_view.py`` from ``publish``.
They import only what Glue ships. The export job runs on Python 3.7 and Spark 2.4 up to Python 3.13
and Spark 4.1, the view job on Python 3.9 with boto3 1.21.

Data flows downhill, and a module imports only modules that stand above it:

    failures, log, limits, names, formats    errors, log lines, limits, names, the files' formats
    timestamps, arguments, settings, ...     what a run is to do, and where it writes
    s3, clients, metrics                     calls to AWS
    schema                                   types of values, attributes and columns
    scan                                     the segmented Scan: limit, scheduler, tasks, buffer
    readers                                  one module for each ReadMode
    write                                    items to rows, Arrow batches, lines and files
    manifest, export                         the record of a complete snapshot; the order of a run
    catalog, view, retention, publish        the view job
"""
