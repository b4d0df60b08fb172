"""The report as people see it, in headless Chromium."""

import os
import re
import shutil

import pytest

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation.report import render, training_of
from roseq_allennlp.evaluation.tagged_data import TaggedSentence
from roseq_allennlp.scoring import error_kinds

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    not error_kinds.AVAILABLE or (CHROMIUM is None and "CI" not in os.environ),
    reason="needs Chromium and Python 3.11",
)

GOLD = ["B-person", "E-person", "O", "S-location", "O"]
PREDICTED = {
    "right": GOLD,
    "type": ["B-location", "E-location", "O", "S-location", "O"],
    "missed": ["B-person", "E-person", "O", "O", "O"],
    "spurious": [*GOLD[:4], "S-group"],
}


def sentence(kind):
    tags = PREDICTED[kind]
    words = ["Marta", "Keller", "<flies>", "Lisbon", "https://example.org/" + "long" * 60]
    spans = [Span("location", 3, 4), Span("person", 0, 2), Span("location", 0, 2), Span("group", 4, 5)]
    return TaggedSentence(words, GOLD, tags, dict.fromkeys(spans, 0.75))


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser:
            yield browser


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """130 sentences: 100 that both get right, then 10 of each other kind, which `second` gets right."""
    first = [sentence("right")] * 100 + [sentence(kind) for kind in ("type", "missed", "spurious") for _ in range(10)]
    second = [sentence("right")] * 130
    training = training_of([["Lisbon"]], [["S-location"]])
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render({"first": first, "second": second}, "data", ["a", "b"], "1", training), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, report):
    """Opens the page and fails if the console, the page or the network had anything to say."""
    contexts, complaints = [], []

    def open_page(width=1100, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: r.url in (report.as_uri(), "data:,") or complaints.append(r.url))
        page.goto(report.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def shown(page):
    return page.locator("article:visible").count(), page.inner_text("#count")


def test_filters(opened):
    page = opened()
    assert shown(page) == (100, "130 of 130 sentences, the first 100 shown")
    page.click("#more")
    assert shown(page) == (130, "130 of 130 sentences") and not page.is_visible("#more")
    page.select_option("#kind", "missed")
    assert shown(page) == (10, "10 of 130 sentences")
    assert page.locator("article:visible h3").first.inner_text() == "Sentence 111"
    assert "first: missed: location" in page.locator("article:visible").first.inner_text()
    page.select_option("#label", "person")  # none is missed
    assert shown(page) == (0, "0 of 130 sentences")
    page.select_option("#kind", "type")  # a person taken for a location: either label finds it
    assert shown(page)[0] == 10
    page.select_option("#label", "location")
    assert shown(page)[0] == 10
    page.select_option("#model", "1")
    assert shown(page)[0] == 0
    page.select_option("#kind", "correct")
    assert shown(page)[1].startswith("130 of 130")
    page.select_option("#kind", "error")
    assert shown(page)[0] == 0
    page.select_option("#model", "0")
    page.select_option("#label", "")
    assert shown(page)[0] == 30
    page.select_option("#label", "group")
    assert shown(page)[0] == 10
    page.click("button[type=reset]")
    page.wait_for_function("document.getElementById('count').textContent.startsWith('130')")
    assert shown(page)[0] == 100


def test_entities_are_marked_by_text_too(opened):
    page = opened()
    article = page.locator("article").nth(100)
    marks = [" ".join(text.split()) for text in article.locator("mark").all_inner_texts()]
    assert marks[:2] == ["Marta Keller person", "Lisbon location"]  # gold
    assert marks[2:4] == ["Marta Keller location ✗", "Lisbon location ✓"]
    assert marks[4:] == ["Marta Keller person ✓", "Lisbon location ✓"]


@pytest.mark.parametrize("width", [360, 1100])
def test_nothing_is_wider_than_the_page(opened, width):
    page = opened(width)
    for details in page.locator("summary").all():
        details.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("figure svg").count() == 7


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(opened, scheme):
    page = opened(390, scheme)
    color = "element => [getComputedStyle(element).color, getComputedStyle(element).backgroundColor]"
    ink, paper = page.eval_on_selector("body", color)
    assert (luminance(paper) < 0.1) == (scheme == "dark")
    note, _ = page.eval_on_selector(".note", color)
    text, _ = page.eval_on_selector("svg text", "element => [getComputedStyle(element).fill, '']")
    for foreground in (ink, note, text):
        assert contrast(foreground, paper) >= 4.5
    for mark in page.locator("article mark").all()[:8]:
        assert contrast(*mark.evaluate(color)) >= 4.5


def luminance(color):
    """WCAG 2.2's relative luminance."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)
