"""Snapshots in S3 and the catalog: manifests, files, and deletion."""
