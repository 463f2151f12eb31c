"""What a user does, one module for each: functions on an account that return typed results.

``import dynoexport`` offers them by name: ``dynoexport.deploy(account, "Reviews")``.
"""
