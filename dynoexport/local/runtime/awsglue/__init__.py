"""A stand-in for the library that AWS Glue gives its jobs, as far as the job scripts use it."""
