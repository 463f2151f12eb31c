"""The clients of an endpoint share what costs memory."""

from __future__ import annotations

from dynoexport.local.context import Endpoint


def test_clients_share_the_description_of_their_service() -> None:
    """Each run has credentials of its own, and so clients of its own; S3's takes megabytes."""
    endpoint = Endpoint("http://127.0.0.1:9", "secret")
    root = endpoint.client("s3")
    others = [endpoint.client("s3", {"AWS_ACCESS_KEY_ID": f"key {run}"}) for run in range(2)]
    assert len({id(client) for client in (root, *others)}) == 3
    descriptions = [client.meta.service_model.metadata for client in (root, *others)]
    assert all(description is descriptions[0] for description in descriptions)
