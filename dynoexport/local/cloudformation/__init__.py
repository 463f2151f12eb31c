"""CloudFormation on the endpoint."""
