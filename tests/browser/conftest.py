"""A Chromium without a window, or one line that says what is missing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from attacker import ATTACKER

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Every host name but localhost is one of the attacker, and leads here."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("chromium or chromedriver is missing: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for option in (
        "--headless=new",
        # A container has no user namespaces.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        f"--host-resolver-rules=MAP {ATTACKER} 127.0.0.1",
        # Doors that newer versions close by themselves are open, as in older ones.
        "--disable-features=BlockInsecurePrivateNetworkRequests,LocalNetworkAccessChecks",
    ):
        options.add_argument(option)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    browser.set_page_load_timeout(120)
    try:
        yield browser
    finally:
        browser.quit()
