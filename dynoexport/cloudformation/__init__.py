"""The CloudFormation templates as typed Python.

``common`` and ``table`` build them, ``render`` turns them into canonical text. ``table`` folds the
``options`` into what every export has: ``nodes`` and ``roles``.
"""
