"""Who calls the endpoint, and what policies allow."""
