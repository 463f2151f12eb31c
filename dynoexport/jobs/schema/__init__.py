"""From what the items hold to the columns of a snapshot (docs/types.md)."""
