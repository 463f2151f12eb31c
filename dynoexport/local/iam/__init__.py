"""The callers of the endpoint, and what policies allow."""
