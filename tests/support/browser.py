"""A real browser for the tests of interactive pages: this machine's Chromium, without a window,
driven by Playwright.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@contextmanager
def started_browser() -> Iterator:
    """Starts the browser and gives its one page; skips the tests where Chromium or Playwright is
    not installed.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip(
            "no Chromium is installed: install it, or name the program in the variable CHROMIUM"
        )
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--disable-gpu"])
        page = browser.new_context().new_page()  # a context made by hand can open further pages
        page.set_default_timeout(60_000)  # a busy machine is slow, not broken
        yield page
        browser.close()


@contextmanager
def visited(page, path, *, beside=False) -> Iterator:
    """Opens a file as if for the first time; fails if it reports an error or asks for anything
    outside of itself, or where ``beside`` allows it, of its folder.
    """
    troubles, requests = [], []
    listeners = {
        "console": lambda message: (
            message.type in ("error", "warning") and troubles.append(message.text)
        ),
        "pageerror": lambda error: troubles.append(str(error)),
        "request": lambda request: requests.append(request.url),
    }
    page.goto("about:blank")  # what the page before still asks for is not this one's
    for event, listener in listeners.items():
        page.on(event, listener)
    page.goto(path.as_uri())
    page.evaluate("localStorage.clear()")
    yield page
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    assert troubles == []
    allowed = (path.parent if beside else path).as_uri()
    assert all(url.startswith(("data:", "blob:", allowed)) for url in requests)
