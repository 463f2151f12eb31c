"""The edge to AWS: clients, stacks, queries, workflow runs, and errors in one line."""
