"""The CloudFormation templates as typed Python.

``common`` and ``table`` build them, ``render`` turns them into canonical text. ``table`` reads as
a table of contents; its parts are ``parameters`` (with ``form``), ``context``, ``nodes``,
``roles`` and ``alerts``.
"""
