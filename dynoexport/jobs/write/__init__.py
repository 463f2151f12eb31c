"""From items to the files of a snapshot."""
