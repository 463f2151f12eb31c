"""Time and cost of an export before it runs. Pure."""
