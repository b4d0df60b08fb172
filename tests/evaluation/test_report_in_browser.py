"""The report as people see it, in headless Chromium."""

import os

import pytest

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation.report import render, training_of
from roseq_allennlp.evaluation.tagged_data import TaggedSentence
from roseq_allennlp.scoring import error_kinds
from tests.browser import CHROMIUM, contrast, luminance

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
    "boundary": ["S-person", "O", "O", "S-location", "O"],
}
ALL = "140 of 140 sentences"
FIRST = f"{ALL}, the first 10 shown"
WIDTHS = [320, 390, 768, 1280]


def sentence(kind):
    tags = PREDICTED[kind]
    words = ["Marta", "Keller", "<flies>", "Lisbon", "https://example.org/" + "long" * 60]
    spans = [Span("location", 3, 4), Span("person", 0, 2), Span("location", 0, 2), Span("group", 4, 5)]
    return TaggedSentence(words, GOLD, tags, dict.fromkeys([*spans, Span("person", 0, 1)], 0.75))


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser:
            yield browser


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """140 sentences: 100 that both get right, then 10 of each other kind, which `second` gets right."""
    kinds = ["right"] * 100 + [kind for kind in ("type", "missed", "spurious", "boundary") for _ in range(10)]
    models = {"first": list(map(sentence, kinds)), "second": [sentence("right")] * 140}
    training = training_of([["Lisbon"]], [["S-location"]])
    configs = {"first": {"model": {"at": True}, "path": "long" * 60}, "second": {"path": "long" * 60}}
    path = tmp_path_factory.mktemp("report") / "report.html"
    page = render(models, "data", ["a", "b"], "1", training, "roseq report " + "a" * 200, configs)
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def wide_report(tmp_path_factory):
    """A report with 30 types, some with long names, and large numbers."""
    names = [
        f"{'a-type-with-a-long-name' if number % 7 else 'longnamewithoutanybreak'}-{number}" for number in range(30)
    ]
    sentences = [TaggedSentence(["word"] * 200_000, ["O"] * 200_000, ["O"] * 200_000, {})]
    for gold, predicted in zip(names, names[1:] + names[:1], strict=True):
        spans = [Span(predicted, 0, 1), Span(gold, 1, 2), Span(gold, 2, 3)]
        right = [f"S-{gold}"] * 3
        sentences.append(TaggedSentence(["word"] * 3, right, [f"S-{predicted}", *right[1:]], dict.fromkeys(spans, 0.5)))
    path = tmp_path_factory.mktemp("wide") / "report.html"
    path.write_text(render({"a-model-with-a-long-name" * 4: sentences}, "data", ["a"], "1", "why"), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, report):
    """Opens the page and fails if the console, the page or the network had anything to say."""
    contexts, complaints = [], []

    def open_page(width=1100, scheme="light", path=report, **options):
        context = browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda r: r.url in (path.as_uri(), "data:,") or complaints.append(r.url))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def shown(page):
    return page.locator("article:visible").count(), page.inner_text("#count")


def test_filters(opened):
    page = opened()
    assert shown(page) == (10, FIRST)
    page.click("#more")
    assert shown(page) == (60, f"{ALL}, the first 60 shown")
    page.select_option("#kind", "missed")
    assert shown(page) == (10, "10 of 140 sentences") and not page.is_visible("#more")
    assert page.locator("article:visible h3").first.inner_text() == "Sentence 111"
    page.select_option("#type", "person")  # none is missed
    assert shown(page) == (0, "0 of 140 sentences")
    page.select_option("#kind", "type")  # a person taken for a location: either type finds it
    assert shown(page)[0] == 10
    page.select_option("#type", "location")
    assert shown(page)[0] == 10
    page.select_option("#model", "1")
    assert shown(page)[0] == 0
    page.select_option("#kind", "correct")
    assert shown(page)[1] == FIRST
    page.select_option("#kind", "error")
    assert shown(page)[0] == 0
    page.select_option("#model", "0")
    page.select_option("#type", "")
    assert shown(page)[1].startswith("40 of 140")
    page.select_option("#type", "group")
    assert shown(page)[0] == 10
    page.click("button[type=reset]")
    page.wait_for_function("document.getElementById('count').textContent.startsWith('140')")
    assert shown(page) == (10, FIRST)


@pytest.mark.parametrize(
    ("text", "count"),
    [("  KELLER   <Flies> ", 140), ("keller lisbon", 0), ("person", 0), ("longlong", 140), ("<b>", 0)],
)
def test_search(text, count, opened):
    """In the words alone, whatever the case and the spaces."""
    page = opened()
    page.get_by_label("Search").fill(text)
    assert shown(page)[1].split(",")[0] == f"{count} of 140 sentences"
    page.select_option("#kind", "missed")
    assert shown(page)[0] == min(count, 10)


def article(page, number):
    page.evaluate("document.querySelectorAll('article').forEach(article => article.hidden = false)")
    return page.locator("article").nth(number - 1)


def texts(locator):
    return [" ".join(text.split()) for text in locator.all_inner_texts()]


def test_entities_are_marked_by_text_too(opened):
    marks = texts(article(opened(), 101).locator("mark"))
    assert marks[:2] == ["Marta Keller person", "Lisbon location"]  # gold
    assert marks[2:4] == ["Marta Keller location 0.75 ✗1", "Lisbon location 0.75 ✓"]
    assert marks[4:] == ["Marta Keller person 0.75 ✓", "Lisbon location 0.75 ✓"]


@pytest.mark.parametrize(
    ("number", "underlined", "remark"),
    [
        (101, ["Marta Keller"], "✗1 type: “Marta Keller” location 0.75; gold: “Marta Keller” person"),
        (111, ["Lisbon location ✗1"], "✗1 missed: “Lisbon” location"),
        (121, [], "✗1 spurious: “https://example.org/" + "long" * 14 + "lon…” group 0.75"),
        (131, ["Marta", "Keller"], "✗1 boundary: “Marta” person 0.75; gold: “Marta Keller” person"),
    ],
)
def test_remarks_and_boundaries(number, underlined, remark, opened):
    """A gold entity is underlined where the model's differs from it, within its mark and beside it."""
    one = article(opened(), number)
    assert texts(one.locator("u")) == underlined and texts(one.locator("li")) == [remark]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut(opened, wide_report, width, scheme, tmp_path):
    for name, path in (("page.png", None), ("wide.png", wide_report)):
        page = opened(width, scheme, **({"path": path} if path else {}))
        for details in page.locator("summary").all():
            details.click()
        page.screenshot(path=tmp_path / name, full_page=path is None)  # to look at
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cut = """elements => elements.filter(element => element.getBoundingClientRect().right > innerWidth
                 || element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline')
                 .map(element => element.outerHTML.slice(0, 200))"""
        assert (
            page.eval_on_selector_all("table, td, tbody th, figure, .bar, .bars div, pre, dd, form, label", cut) == []
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(opened, scheme):
    page = opened(390, scheme)
    color = "element => [getComputedStyle(element).color, getComputedStyle(element).backgroundColor]"
    ink, paper = page.eval_on_selector("body", color)
    assert (luminance(paper) < 0.1) == (scheme == "dark")
    foregrounds = [
        page.eval_on_selector(selector, color)[0] for selector in (".note", "nav a", "caption", "small", "h3")
    ]
    text, _ = page.eval_on_selector("svg text", "element => [getComputedStyle(element).fill, '']")
    for foreground in (ink, text, *foregrounds):
        assert contrast(foreground, paper) >= 4.5
    field, behind = page.eval_on_selector("#text", color)
    assert contrast(field, behind) >= 4.5
    border = page.eval_on_selector("#text", "element => getComputedStyle(element).borderTopColor")
    assert contrast(border, paper) >= 3
    for mark in page.locator("article mark").all()[:8]:
        assert contrast(*mark.evaluate(color)) >= 4.5


def test_keyboard(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Overall"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # from the heading that the link leads to
    assert page.evaluate("document.activeElement.id") == "text"
    page.focus("#more")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Sentence 11"


def test_roles(opened):
    page = opened()
    assert page.get_by_role("navigation", name="Contents").get_by_role("link").count() == page.locator("h2").count()
    targets = page.eval_on_selector_all(
        "nav a", "links => links.filter(link => !document.querySelector(link.hash)).length"
    )
    assert targets == 0
    assert page.get_by_role("search").get_by_role("combobox").count() == 3
    assert page.get_by_role("status").inner_text() == FIRST
    table = page.get_by_role("table", name="Scores of entities").first
    assert table.get_by_role("columnheader", name="precision").is_visible()
    assert table.get_by_role("rowheader").all_inner_texts() == ["location", "person", "group"]


def test_the_first_picture(opened):
    page = opened()
    first = page.locator("figure").first
    assert first.locator("figcaption").inner_text().startswith("F1 of entities, %") and "first" in first.inner_text()
    order = page.locator("h2").all_inner_texts()
    assert order[:3] == ["Overall", "F1 by type", "Sentences"] and order[-1] == "How this was made"
    bars = first.locator(".bar").all()
    assert [bar.inner_text() for bar in bars] == ["92.9", "100.0", "88.9", "100.0", "0.0", "none"]
    widths = [bar.locator("i").bounding_box()["width"] for bar in bars[:4]]
    assert [width / widths[1] for width in widths] == pytest.approx([0.929, 1, 0.889, 1], abs=0.01)


def test_without_scripts(opened):
    page = opened(java_script_enabled=False)
    assert page.locator("article:visible").count() == 140
    assert not page.is_visible("#filters") and not page.is_visible("#more")


def test_no_other_script_runs(browser, report, tmp_path):
    """Should a text get past the escaping, the page's own rules stop it."""
    path = tmp_path / "report.html"
    text = report.read_text(encoding="utf-8").replace(
        "&lt;flies&gt;", "<script>window.ran = 1</script><img src=x onerror='ran = 1'>"
    )
    path.write_text(text, encoding="utf-8")
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(path.as_uri())
        assert page.evaluate("window.ran") is None and shown(page) == (10, FIRST)
