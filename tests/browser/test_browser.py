"""A web page in a real Chromium gets nothing from the endpoint, and changes nothing there.

The same page gets in at a plain moto server: its attacks work.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
import started_endpoint
from attacker import ATTACKER, attacker
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Callable

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# What a page learns from an endpoint that answers to nobody.
NOTHING = {
    "image": "refused",
    "script": "refused",
    "object": "refused",
    "blind_put": "opaque",
    "put": "refused",
    "call": "refused",
    "control": "refused",
    "socket": "refused",
}


def visit(chromium: Any, url: str) -> dict[str, str]:
    """What the page has seen when it is done."""
    from selenium.webdriver.support.ui import WebDriverWait

    chromium.get(url)
    WebDriverWait(chromium, 120).until(lambda browser: browser.title == "done")
    seen: dict[str, str] = chromium.execute_script("return window.seen")
    return seen


def fill(client: Callable[[str], Any]) -> None:
    """A bucket whose rules let every page read and write, and a table."""
    s3 = client("s3")
    s3.create_bucket(Bucket="doors")
    every = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"], "AllowedHeaders": ["*"]}
    s3.put_bucket_cors(Bucket="doors", CORSConfiguration={"CORSRules": [every]})
    for key, body, kind in (
        ("mine", b"mine", "text/plain"),
        ("picture.gif", GIF, "image/gif"),
        ("script.js", b"window.ran = true", "text/javascript"),
    ):
        s3.put_object(Bucket="doors", Key=key, Body=body, ContentType=kind, ACL="public-read")


def state(client: Callable[[str], Any]) -> tuple[list[str], list[str], list[str]]:
    """Objects, tables and topics."""
    s3 = client("s3")
    if not s3.list_buckets()["Buckets"]:
        return [], [], []
    return (
        [each["Key"] for each in s3.list_objects_v2(Bucket="doors").get("Contents", ())],
        client("dynamodb").list_tables()["TableNames"],
        [each["TopicArn"] for each in client("sns").list_topics()["Topics"]],
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ATTACKER])
def test_web_page_gets_nothing_and_changes_nothing(chromium: Any, host: str) -> None:
    """By an address, by a name of this machine, and by a name of its own that leads here."""
    with started_endpoint.start() as endpoint:
        fill(endpoint.client)
        before, decisions = state(endpoint.client), len(endpoint.authorizations())
        port = urlsplit(endpoint.url).port
        assert port is not None
        with attacker(port) as own:
            seen = visit(chromium, f"http://{ATTACKER}:{own}/?host={host}")
        assert {name: seen[name] for name in NOTHING} == NOTHING
        # No call of the page was even looked at, and a script did not run.
        assert len(endpoint.authorizations()) == decisions
        assert chromium.execute_script("return window.ran") is None
        assert state(endpoint.client) == before


@pytest.mark.parametrize(
    "path", ["/", "/doors/mine", "/doors", "/moto-api/", "/moto-api/data.json"]
)
def test_page_whose_name_leads_to_the_endpoint_is_refused(chromium: Any, path: str) -> None:
    """DNS rebinding: the page and the endpoint have the same origin."""
    with started_endpoint.start() as endpoint:
        fill(endpoint.client)
        port = urlsplit(endpoint.url).port
        for host in (f"{ATTACKER}:{port}", f"localhost:{port}"):
            chromium.get(f"http://{host}{path}")
            text = chromium.page_source
            assert "AccessDenied" in text
            assert "mine" not in chromium.execute_script("return document.body?.innerText || ''")


def test_same_page_gets_in_at_a_server_without_these_doors(chromium: Any) -> None:
    """Otherwise the tests above would show nothing."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()

    def client(service: str) -> Any:
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        url = f"http://{host}:{port}"
        made: Any = boto3.client(service, region_name="us-east-1", endpoint_url=url, **keys)  # type: ignore[call-overload]
        return made

    try:
        fill(client)
        with attacker(port) as own:
            seen = visit(chromium, f"http://{ATTACKER}:{own}/?host=127.0.0.1")
        assert (seen["image"], seen["script"]) == ("loaded", "loaded")
        assert seen["object"] == "200 mine"
        assert seen["control"].startswith("200 ")
        # The last thing that the page does is to delete everything.
        assert state(client) == ([], [], [])
    finally:
        server.stop()
