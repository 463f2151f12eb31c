"""The commands as functions, one module each: on an account, with typed results.

``import dynoexport`` offers them by name: ``dynoexport.deploy(account, "Reviews")``.
"""
