"""IAM: statements, the policies of roles and of people, and why each permission is there."""
