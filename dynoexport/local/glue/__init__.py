"""Glue on the endpoint: workflows, jobs, crawlers."""
