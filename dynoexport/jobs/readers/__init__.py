"""The readers: Glue's connector, a native Scan, and DynamoDB's own export."""
