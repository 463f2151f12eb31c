"""A segmented Scan: the driver deals segments and read units, tasks read pages."""
