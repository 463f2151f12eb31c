"""From the values of the items to the columns of a snapshot (docs/types.md)."""
