"""The page for one's own eyes, driven in Chromium by keys, mouse and touch, from a file."""

from __future__ import annotations

import json
import os
import select
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from striate.core.intervals import wilson
from striate.gan import eyes_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 60.0
EVIL = "<img src=x onerror=alert(1)> </script> Shirt"
KEYS = {False: ("ArrowLeft", "ArrowLeft", 37), True: ("g", "KeyG", 71)}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


class Browser:
    """Chromium without a window, spoken to by its debugging protocol through two pipes."""

    def __init__(self, folder: Path) -> None:
        theirs, self._out = os.pipe()
        self._in, back = os.pipe()
        options = "--headless --no-sandbox --disable-gpu --remote-debugging-pipe --no-first-run"
        command = f"exec {shlex.quote(CHROMIUM)} {options} --user-data-dir={shlex.quote(str(folder))}"
        self._process = subprocess.Popen(
            ["bash", "-c", f"{command} 3<&{theirs} 4>&{back}"],
            pass_fds=(theirs, back),
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(back)
        self._number, self._buffer, self._session = 0, b"", ""
        self.heard: list[dict[str, Any]] = []

    def open(self, page: Path) -> None:
        """Open a file in a new tab, and listen to what it complains of."""
        self._session = ""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        self.ask("Page.navigate", url=page.as_uri())
        self.until("document.readyState === 'complete' && document.getElementById('test') !== null")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Send a command, and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.heard.append(answer)

    def value(self, expression: str) -> Any:
        """Give the value of an expression on the page."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true on the page, which may still be loading."""
        end = time.monotonic() + PATIENCE
        while self.ask("Runtime.evaluate", expression=expression)["result"].get("value") is not True:
            assert time.monotonic() < end, f"{expression}: {self.value('document.body.innerText')}"
            time.sleep(0.02)

    def key(self, key: str, code: str, number: int) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=number)

    def press(self, name: str, *, touch: bool = False) -> None:
        """Click or tap the middle of an element."""
        self.value(f"document.getElementById('{name}').scrollIntoView()")
        box = f"document.getElementById('{name}').getBoundingClientRect()"
        x, y = self.value(f"(() => {{ const b = {box}; return [b.x + b.width / 2, b.y + b.height / 2]; }})()")
        if touch:
            self.ask("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
            self.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        else:
            for kind in ("mousePressed", "mouseReleased"):
                self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def close(self) -> None:
        """End the browser."""
        self._session = ""
        self.ask("Browser.close")
        self._process.wait(PATIENCE)
        os.close(self._out)
        os.close(self._in)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], PATIENCE)
            part = os.read(self._in, 1 << 16) if ready else b""
            assert part, "the browser says nothing"
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(text)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> list[bool]:
    """A page of bright generated images and dark real ones, open; and the answers in its order."""
    dark, bright = torch.full((4, 1, 6, 6), 0.1), torch.full((4, 1, 6, 6), 0.9)
    made = tmp_path / "eyes.html"
    captions = {"real_captions": [EVIL] * 4, "generated_captions": ["made"] * 4}
    eyes_page(dark, bright, made, title=EVIL, seed=len(str(tmp_path)), **captions)
    browser.heard.clear()
    browser.open(made)
    return [brightness(browser, place) > 128 for place in range(8)]


def brightness(browser: Browser, place: int) -> float:
    """Look at an image of the page."""
    return browser.ask(
        "Runtime.evaluate",
        expression=(
            "(async () => { const picture = new Image(); "
            f"picture.src = JSON.parse(document.getElementById('test').textContent).images[{place}]; "
            "await picture.decode(); const canvas = document.createElement('canvas'); "
            "const context = canvas.getContext('2d'); context.drawImage(picture, 0, 0); "
            "return context.getImageData(2, 2, 1, 1).data[0]; })()"
        ),
        awaitPromise=True,
        returnByValue=True,
    )["result"]["value"]


def wait_for(browser: Browser, number: int) -> None:
    """Wait for an image, and until it may be judged."""
    browser.until(f"document.getElementById('count').textContent === '{number} of 8'")
    time.sleep(0.17)


def judge(browser: Browser, answers: list[bool], *, first: int = 1) -> dict[str, Any]:
    """Judge all images by keys, and give the result."""
    for number, answer in enumerate(answers, start=first):
        wait_for(browser, number)
        browser.key(*KEYS[answer])
    browser.until("!document.getElementById('result').hidden")
    return json.loads(browser.value("document.getElementById('json').value"))


def shown(browser: Browser) -> str:
    return browser.value("document.body.innerText")


def test_who_is_always_right_is_told_so(browser, page):
    assert "8 images, one at a time" in shown(browser)
    browser.press("start")
    wait_for(browser, 1)
    assert "made" not in shown(browser)
    result = judge(browser, page)
    assert sum(page) == 4
    assert result["generated_images"] == page
    assert result["error_rate"]["wrong"] == 0
    assert (result["error_rate"]["low"], result["error_rate"]["high"]) == pytest.approx(wilson(0, 8))
    assert "you can tell what was generated" in shown(browser)
    assert "none" in browser.value("document.getElementById('mistakes').textContent")
    complaints = [
        each for each in browser.heard if each.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")
    ]
    assert complaints == []


def test_mistakes_are_counted_by_kind_and_shown_with_their_names(browser, page):
    wrong = {page.index(False), page.index(True), 7 - page[::-1].index(True)}
    browser.press("start", touch=True)
    for number, answer in enumerate(page, start=1):
        wait_for(browser, number)
        name = "generated" if answer != (number - 1 in wrong) else "real"
        browser.press(name, touch=number % 2 == 0)
    browser.until("!document.getElementById('result').hidden")
    result = json.loads(browser.value("document.getElementById('json').value"))
    for kind, figures in (("error_rate", (3, 8)), ("real", (1, 4)), ("generated", (2, 4))):
        found = result[kind]
        assert (found["wrong"], found["images"]) == figures
        assert found["share"] == pytest.approx(figures[0] / figures[1])
        assert (found["low"], found["high"]) == pytest.approx(wilson(*figures))
    captions = browser.value("[...document.querySelectorAll('figcaption')].map((each) => each.textContent)")
    assert sorted(captions) == ["generated: made", "generated: made", f"real: {EVIL}"]
    assert browser.value("document.querySelectorAll('img[onerror]').length") == 0
    rows = browser.value("[...document.querySelectorAll('#rates td')].map((each) => each.textContent)")
    assert [each.replace("\u00a0", " ") for each in rows[:5]] == [
        "all",
        "8",
        "3",
        "37.5 %",
        "13.7 % to 69.4 %",
    ]
    assert "by 8 images it cannot be said" in shown(browser)


def test_who_is_always_wrong_sees_more_in_what_is_generated(browser, page):
    browser.press("start")
    result = judge(browser, [not answer for answer in page])
    assert result["error_rate"]["wrong"] == 8
    assert "looks the more real" in shown(browser)


def test_a_page_loaded_again_goes_on_and_can_begin_anew(browser, page):
    browser.press("start")
    for number in (1, 2, 3):
        wait_for(browser, number)
        browser.key(*KEYS[page[number - 1]])
    browser.ask("Page.reload")
    wait_for(browser, 4)
    result = judge(browser, page[3:], first=4)
    assert result["error_rate"]["wrong"] == 0
    browser.press("again")
    wait_for(browser, 1)


@pytest.mark.usefixtures("page")
def test_an_image_that_nobody_can_have_seen_is_not_judged(browser):
    browser.press("start")
    wait_for(browser, 1)
    browser.value(
        "['ArrowLeft', 'ArrowLeft', 'ArrowRight'].forEach((key) => "
        "document.dispatchEvent(new KeyboardEvent('keydown', {key})))"
    )
    browser.value(
        "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'g', ctrlKey: true})); "
        "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'x'}))"
    )
    assert browser.value("document.getElementById('count').textContent") == "2 of 8"
