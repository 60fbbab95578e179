"""A real browser over a served house: what a person sees there, taps, types and presses, and how many keys it takes."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from axe_core_python.selenium import Axe
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from tests.system.gated import Gated

PASSWORD = "a long enough password"  # noqa: S105  # of users who live as long as the test
DESKTOP, PHONE = (1440, 900), (390, 844)
PATIENCE_S = 20.0
HOST = "127.0.0.1"


class Screen:
    """One person's browser. ``presses`` counts the keys pressed since the last look."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self._driver, self._url = driver, url
        self.presses = 0

    def open(self, path: str) -> None:
        self._driver.get(self._url + path)

    def log_in(self, user: str) -> None:
        """Log in at the console, which ends whoever's session was there."""
        self._driver.delete_all_cookies()
        self.open("/console/")
        self.type("#login [name=name]", user)
        self.type("#login [name=password]", PASSWORD)
        self.tap("#login button.primary")
        self.until(lambda: not self.all("#login[open]"), f"{user} to be logged in")

    def speak(self, language: str) -> None:
        """Switch to a language, which stays until another is chosen."""
        if self.text("#language") == {"en": "English", "zh": "中文"}[language]:
            self.tap("#language")

    def all(self, css: str) -> list[WebElement]:
        return [found for found in self._driver.find_elements(By.CSS_SELECTOR, css) if found.is_displayed()]

    def the(self, css: str) -> WebElement:
        """The first element that can be seen, once there is one."""
        self.until(lambda: bool(self.all(css)), f"{css} to be seen")
        return self.all(css)[0]

    def text(self, css: str) -> str:
        return self.the(css).text

    def tap(self, css: str) -> None:
        def tapped() -> bool:
            found = self.all(css)
            if found:
                found[0].click()
            return bool(found)

        self.until(tapped, f"{css} to tap")

    def type(self, css: str, words: str) -> None:
        self.the(css).send_keys(words)

    def pick_day(self, css: str, day: date) -> None:
        """Choose a day, which browsers let people type in the order of their own language."""
        said = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
        self._driver.execute_script(said, self.the(css), day.isoformat())

    def choose(self, css: str, value: str) -> None:
        Select(self.the(css)).select_by_value(value)

    def press(self, key: str) -> None:
        self.presses += 1
        ActionChains(self._driver).send_keys(key).perform()

    def until(self, found: Callable[[], bool], what: str) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                if found():
                    return
            except StaleElementReferenceException:
                pass  # the page was drawn anew while we looked
            body = self._driver.find_element(By.TAG_NAME, "body").text
            assert time.monotonic() < give_up, f"expected {what}, found {body[:2000]}"
            time.sleep(0.05)

    def value(self, expression: str) -> object:
        """What an expression is in the page."""
        found: object = self._driver.execute_script(f"return {expression}")
        return found

    def scrolls_sideways(self) -> bool:
        return bool(self._driver.execute_script("return document.documentElement.scrollWidth > innerWidth"))

    def overflows(self, css: str) -> bool:
        """Whether there is more in the first such box than it has room for beside each other."""
        box = self.the(css)
        return bool(self._driver.execute_script("return arguments[0].scrollWidth > arguments[0].clientWidth", box))

    def squeezed(self) -> list[str]:
        """What the rows of a desk say without room for it: over what stands beside it, or letter by letter."""
        script = """return [...document.querySelectorAll(".desk-row > *")].filter((part) => part.offsetParent
          && (part.scrollWidth > part.clientWidth + 1 || (part.matches(".about") && part.clientWidth < 80)))
          .map((part) => part.textContent)"""
        found: list[str] = self._driver.execute_script(script)
        return found

    def barriers(self) -> list[str]:
        """What keeps people from using the page as it stands (WCAG 2.1 A and AA): each rule with where it is broken."""
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
        found = Axe().run(self._driver, options=rules)
        return [f"{one['id']}: {[node['html'][:160] for node in one['nodes'][:3]]}" for one in found["violations"]]

    def wide(self, css: str) -> int:
        """How wide the first such image is by itself, 0 while there is none."""
        found = self.all(css)
        return int(found[0].get_property("naturalWidth") or 0) if found else 0  # type: ignore[arg-type]  # a number

    def complaints(self) -> list[str]:
        """What the browser's own log holds, but for answers that say no."""
        return [entry["message"] for entry in self._driver.get_log("browser") if " 401 " not in entry["message"]]

    def sleep(self, *, asleep: bool) -> None:
        """Let the page think that nobody looks at it."""
        hidden = f"Object.defineProperty(document, 'hidden', {{ value: {str(asleep).lower()}, configurable: true }});"
        self._driver.execute_script(f"{hidden} document.dispatchEvent(new Event('visibilitychange'));")

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < height}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})


@contextmanager
def browser(url: str, folder: Path) -> Iterator[Screen]:
    options = ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={folder}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield Screen(driver, url)
    finally:
        driver.quit()


def someone(house: Gated, *roles: str, person: str = "", **unit: str) -> str:
    """A new user with a password; gives the name."""
    name = house.user(*roles, person=person, **unit)
    house.house.accounts.set_password(name, PASSWORD)
    return name
