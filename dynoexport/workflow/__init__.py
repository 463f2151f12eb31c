"""The workflow as plain values: its nodes, what Glue would refuse about it, when it starts."""
