"""The page of ``parity report`` in a real browser without a window.

Needs Chromium and its driver: ``apt-get install chromium chromium-driver``.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import parity
from parity.bench.report.findings import PAGE, page_of_search, write_page
from parity.cli.main import main
from parity.diagnose.defects.traversal import Overwrite
from tests.helpers import report_samples as samples

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="Chromium is missing; apt-get install chromium chromium-driver",
    ),
]
Browser = webdriver.Chrome


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a report of usual names and one of hostile ones."""
    folder = tmp_path_factory.mktemp("pages")
    before = samples.sample(seed=1, faster=1.3)
    before["machine"]["cpu"] = "Another CPU"
    before["created"] = "2026-11-20T12:00:00+00:00"
    older = samples.write(folder, before, "older.json")
    for name, data in (("usual", samples.small()), ("hostile", samples.hostile())):
        file = samples.write(folder, data, f"{name}.json")
        arguments = ["report", str(older), str(file), "-o", str(folder / name)]
        assert main(arguments) == 0
    return folder


@pytest.fixture(scope="module")
def _browser() -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=Service(str(DRIVER))) as browser:
        yield browser


@pytest.fixture
def browser(_browser: Browser) -> Browser:
    """A light screen of usual size, with nothing in its logs."""
    _show(_browser, "light", 1280)
    _browser.get("about:blank")
    for log in ("browser", "performance"):
        _browser.get_log(log)
    return _browser


def _show(browser: Browser, scheme: str, width: int) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


_SHOW_ALL = "for (const one of document.querySelectorAll('details')) one.open = true"


def _open(browser: Browser, pages: Path, name: str = "usual/report.html") -> None:
    """Open a page with all that is closed at first."""
    browser.get((pages / name).as_uri())
    browser.execute_script(_SHOW_ALL)


def _requests(browser: Browser) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def _column(browser: Browser, table: str, column: int) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((cell) => cell.dataset.key)"
    keys: list[str] = browser.execute_script(
        script, f"#table-{table} tbody tr > :nth-child({column + 1})"
    )
    return keys


@pytest.mark.parametrize("name", ["usual", "hostile"])
def test_opens_without_errors_and_without_the_network(
    name: str, browser: Browser, pages: Path
) -> None:
    _open(browser, pages, f"{name}/report.html")
    _show(browser, "dark", 1280)
    assert browser.find_elements(By.CSS_SELECTOR, "img, iframe") == []
    assert browser.get_log("browser") == []
    assert _requests(browser) == [(pages / name / "report.html").as_uri()]


def test_sorts_by_click(browser: Browser, pages: Path) -> None:
    _open(browser, pages)
    heads = browser.find_elements(By.CSS_SELECTOR, "#table-ratios thead th")
    column = [head.text.split()[0] for head in heads].index("micrograd")
    original = _column(browser, "ratios", column)
    assert "" in original
    numbers = sorted(float(key) for key in original if key)
    empty = [""] * original.count("")
    for expected, state in ((numbers, "ascending"), (numbers[::-1], "descending")):
        heads[column].find_element(By.TAG_NAME, "button").click()
        found = _column(browser, "ratios", column)
        assert [float(key) for key in found if key] == expected
        assert found[len(expected) :] == empty  # what has no number is at the end
        assert [head.get_attribute("aria-sort") for head in heads].count(None) == len(heads) - 1
        assert heads[column].get_attribute("aria-sort") == state


def test_sorts_by_keyboard_and_says_so(browser: Browser, pages: Path) -> None:
    _open(browser, pages)
    button = browser.find_element(By.CSS_SELECTOR, "#table-points thead th button")
    browser.execute_script("arguments[0].closest('.scroll').focus()", button)
    keys = ActionChains(browser)
    keys.send_keys(Keys.TAB).send_keys(Keys.SPACE).perform()
    assert browser.switch_to.active_element == button
    outline = "return getComputedStyle(arguments[0]).outlineStyle"
    assert browser.execute_script(outline, button) == "solid"
    names = _column(browser, "points", 0)
    assert names == sorted(names)
    keys.send_keys(Keys.ENTER).perform()
    names = _column(browser, "points", 0)
    assert names == sorted(names, reverse=True)
    status = browser.find_element(By.CSS_SELECTOR, "[role=status]").get_attribute("textContent")
    assert status == "Sorted by engine, descending"


def test_the_first_stop_of_the_keyboard_skips_to_the_summary(browser: Browser, pages: Path) -> None:
    _open(browser, pages)
    ActionChains(browser).send_keys(Keys.TAB).perform()
    link = browser.switch_to.active_element
    assert link.text == "Skip to the summary"
    assert link.rect["x"] >= 0
    link.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.tag_name == "main"


def test_tables_are_closed_until_a_link_or_a_key_opens_them(browser: Browser, pages: Path) -> None:
    browser.get((pages / "usual" / "report.html").as_uri())
    shown = (
        "return [...document.querySelectorAll('details[open] table')].map((t) => t.parentNode.id)"
    )
    assert browser.execute_script(shown) == ["table-history"]
    browser.find_element(By.CSS_SELECTOR, "a[href='#table-ratios']").click()
    assert browser.execute_script(shown) == ["table-history", "table-ratios"]
    summary = browser.find_element(By.CSS_SELECTOR, "details:has(#table-memory) summary")
    summary.send_keys(Keys.ENTER)
    assert browser.find_element(By.ID, "table-memory").is_displayed()


def test_the_verdict_is_on_the_first_screen_of_a_phone(browser: Browser, pages: Path) -> None:
    _show(browser, "light", 360)
    browser.get((pages / "usual" / "report.html").as_uri())
    verdict = browser.find_element(By.CSS_SELECTOR, ".verdict")
    assert verdict.rect["y"] + verdict.rect["height"] < 640
    assert "times as fast as torch" in verdict.text


@pytest.mark.parametrize("width", [1280, 360])
def test_every_plot_is_shown(width: int, browser: Browser, pages: Path) -> None:
    _show(browser, "light", width)
    _open(browser, pages)
    plots = browser.find_elements(By.CSS_SELECTOR, "figure svg")
    assert len(plots) == 7
    for plot in plots:
        assert plot.is_displayed()
        assert plot.rect["width"] > 250
        assert plot.rect["height"] > 100
        assert plot.rect["x"] + plot.rect["width"] <= width


_OVERLAPPING = """
const inside = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
  && a.top < b.bottom - 2 && b.top < a.bottom - 2;
return [...document.querySelectorAll("figure svg")].flatMap((plot) => {
  const frame = plot.getBoundingClientRect();
  const texts = [...plot.querySelectorAll("text")];
  const boxes = texts.map((text) => text.getBoundingClientRect());
  return boxes.flatMap((box, i) => [
    ...boxes.slice(i + 1).filter((other) => inside(box, other)).map(() => texts[i].textContent),
    ...(box.left < frame.left - 1 || box.right > frame.right + 1 ? [texts[i].textContent] : []),
  ]);
});
"""


@pytest.mark.parametrize("width", [1280, 360])
def test_no_label_of_a_plot_lies_on_another(width: int, browser: Browser, pages: Path) -> None:
    _show(browser, "light", width)
    _open(browser, pages)
    assert browser.execute_script(_OVERLAPPING) == []


def _colors(browser: Browser) -> dict[str, str]:
    """Computed colours of the page and of a plot."""
    script = """
    const style = (what) => getComputedStyle(document.querySelector(what));
    const bar = [...document.querySelectorAll("figure path")].find(
      (path) => path.getAttribute("style").includes("fill: var(--series-0)"));
    return {page: style("body").backgroundColor, text: style("body").color,
            label: style("figure text").fill, loud: style(".loud").backgroundColor,
            bar: getComputedStyle(bar).fill};
    """
    colors: dict[str, str] = browser.execute_script(script)
    return colors


def test_dark_and_light_differ_in_page_and_plots(browser: Browser, pages: Path) -> None:
    _open(browser, pages)
    light = _colors(browser)
    _show(browser, "dark", 1280)
    dark = _colors(browser)
    assert light["bar"] == "rgb(0, 114, 178)"
    assert light["label"] == light["text"]
    assert dark["label"] == dark["text"]
    assert all(light[name] != dark[name] for name in light)


@pytest.mark.parametrize("name", ["usual", "hostile"])
def test_a_phone_does_not_scroll_sideways(name: str, browser: Browser, pages: Path) -> None:
    _show(browser, "light", 360)
    _open(browser, pages, f"{name}/report.html")
    script = "return [document.documentElement.scrollWidth, innerWidth]"
    assert browser.execute_script(script) == [360, 360]
    wide = browser.find_element(By.ID, "table-ratios")
    assert browser.execute_script(
        "return arguments[0].scrollWidth > arguments[0].clientWidth && arguments[0].tabIndex === 0",
        wide,
    )


def test_what_a_screen_reader_meets(browser: Browser, pages: Path) -> None:
    _open(browser, pages)
    nodes: list[dict[str, Any]] = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})[
        "nodes"
    ]
    shown = [node for node in nodes if not node["ignored"]]
    roles: dict[str, list[dict[str, Any]]] = {}
    for node in shown:
        roles.setdefault(node["role"]["value"], []).append(node)
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert len(roles[landmark]) == 1, landmark
    pictures = roles["image"]
    assert len(pictures) == 7
    for node in [*pictures, *roles["table"], *roles["region"], *roles["button"]]:
        assert node["name"]["value"]
    assert all(" for dezero" in node["description"]["value"] for node in pictures)
    levels = [
        property["value"]["value"]
        for node in roles["heading"]
        for property in node["properties"]
        if property["name"] == "level"
    ]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert "columnheader" in roles
    assert "rowheader" in roles


def test_the_plot_of_the_readme_follows_the_scheme(browser: Browser, pages: Path) -> None:
    _open(browser, pages, "usual/ratios.svg")
    script = "return getComputedStyle(document.querySelector('rect')).fill"
    light = browser.execute_script(script)
    _show(browser, "dark", 1280)
    assert (light, browser.execute_script(script)) == ("rgb(255, 255, 255)", "rgb(22, 24, 29)")
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_of_findings_fits_and_needs_no_network(
    scheme: str, width: int, browser: Browser, tmp_path: Path
) -> None:
    result = parity.check(Overwrite, examples=40, ops=("add", "mul"))
    write_page(page_of_search(result), tmp_path)
    _show(browser, scheme, width)
    _open(browser, tmp_path, PAGE)
    assert browser.get_log("browser") == []
    assert _requests(browser) == [(tmp_path / PAGE).as_uri()]
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    graph = browser.find_element(By.CSS_SELECTOR, ".picture svg")
    assert graph.is_displayed()
