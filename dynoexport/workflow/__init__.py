"""The workflow as plain values: its nodes, its faults, and its schedule."""
