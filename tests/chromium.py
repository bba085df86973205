"""Chromium without a window, for tests of the page: installed where that may be done, else the reason to skip."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_PACKAGES = ("chromium", "chromium-driver")
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1200,800")


def _programs() -> tuple[str, str] | None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


def programs() -> tuple[str, str]:
    """(chromium, chromedriver), installed by apt-get where they are missing and root asks; otherwise skips the test."""
    if found := _programs():
        return found
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        pytest.skip(f"Chromium is not installed: as root, apt-get install {' '.join(_PACKAGES)}")
    quiet: dict[str, Any] = {"capture_output": True, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    install = [apt, "install", "-y", "--no-install-recommends", *_PACKAGES]
    if subprocess.run(install, **quiet).returncode:  # without lists of packages there is nothing to install from
        subprocess.run([apt, "update"], **quiet)
        ended = subprocess.run(install, **quiet)
        if ended.returncode:
            pytest.skip(f"apt-get could not install Chromium: {ended.stderr.decode(errors='replace')[-300:]}")
    found = _programs()
    assert found, "apt-get installed chromium and chromium-driver, but their programs are not on the PATH"
    return found


class Page:
    """A browser with one page open, and what tests ask of it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a piece of JavaScript that ends in ``return``."""
        return self.driver.execute_script(script, *arguments)

    def state(self) -> dict[str, Any]:
        """``wordMap.state()`` of the page."""
        return self.run("return wordMap.state()")

    def settled(self) -> dict[str, Any]:
        """The state when nothing flies any more, all names are worked out, and a frame has been drawn since."""
        for _ in range(600):
            state = self.state()
            if state["ready"] and not state["flying"]:
                self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
                return self.state()
            time.sleep(0.05)
        raise AssertionError(f"the page does not come to rest: {state}")

    def cdp(self, command: str, **arguments: Any) -> Any:
        """A command of Chromium's own, such as a move of the mouse."""
        return self.driver.execute_cdp_cmd(command, arguments)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """A real event of the mouse: mouseMoved, mousePressed, mouseReleased, mouseWheel."""
        self.cdp("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def texts(self, selector: str) -> list[str]:
        """The text of all elements that fit, as it is in the document."""
        return self.run("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector)

    def requests(self) -> list[str]:
        """The addresses asked for since the last call."""
        lines = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
        return [line["params"]["request"]["url"] for line in lines if line["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """What stood in the console since the last call."""
        return [line["message"] for line in self.driver.get_log("browser")]


@contextmanager
def opened(address: str) -> Iterator[Page]:
    """A page in a browser of its own."""
    pytest.importorskip("selenium", reason="selenium is not installed: pip install -c constraints.txt -e '.[dev]'")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    browser, driver = programs()
    options = Options()
    options.binary_location = browser
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        page = Page(chrome)
        page.cdp("Emulation.setDeviceMetricsOverride", width=1200, height=800, deviceScaleFactor=1, mobile=False)
        chrome.get(address)
        yield page
    finally:
        chrome.quit()
