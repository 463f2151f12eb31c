"""How long an export takes and what it costs, before it runs. Pure."""
