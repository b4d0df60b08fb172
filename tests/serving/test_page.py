"""The server's page as people use it, in headless Chromium, with the answers of a stub in place of the server's."""

import base64
import contextlib
import hashlib
import json
import os
import re
import threading
import time
from pathlib import Path

import pytest

from roseq_allennlp.predictors.alternatives import add_alternatives
from roseq_allennlp.predictors.inputs import Row
from roseq_allennlp.predictors.outputs import as_columns
from tests.browser import CHROMIUM, contrast, luminance
from tests.serving.stub_server import PAGE, serving_stub

pytestmark = pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="needs Chromium")

TEXT = "Marta Keller flies 😀 to Oslo .\n\nJonas Lindholm stays in Porto with Marta Keller ."
KELLER = [
    (0, 1, {"label": "person", "probability": 0.0123}),
    (0, 2, {"label": "group", "probability": 0.002}),
]
NAMES = {
    "Marta Keller": ("person", 0.98, KELLER),
    "Oslo": ("location", 0.75),
    "Jonas Lindholm": ("person", 0.6),
    "Porto": ("location", 0.5),
}
OTHER = {"Marta Keller": ("person", 0.9), "Jonas": ("person", 0.7), "Porto": ("group", 0.8)}
RTL = "שלום , דוד כהן גר ב תל אביב עם Marta Keller"
WIDTHS = [320, 390, 768, 1280]
SCRIPT = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'><b id=bold>"


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser:
            yield browser


@pytest.fixture
def stub():
    with serving_stub() as stub:
        yield stub


@pytest.fixture
def opened(browser, stub):
    """Opens the page and fails if the console or the page had anything to say, or another host was asked for anything."""
    contexts, complaints = [], []

    def said(message):
        if not message.text.startswith("Failed to load resource"):  # which is how a console tells of a status
            complaints.append(message.text)

    def open_page(width=1100, scheme="light", address=stub.address, **options):
        if stub.models == []:
            stub.model("tweets", NAMES)
        context = browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", said)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda r: r.url.startswith((address, "data:,", "blob:")) or complaints.append(r.url))
        page.goto(address)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("#first option, #error:not(:empty)", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def two(stub):
    stub.model("tweets", NAMES, thresholds={"person": 0.7, "location": 0.7})
    stub.model("news", OTHER, labels=["person", "group", "location"])


def tag(page, text=TEXT):
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Tag").click()
    page.wait_for_selector("#results:not([aria-busy])")


def marks(scope):
    # Not the inner texts: those of a line are empty until the frame in which it comes into view.
    return [" ".join(text.split()) for text in scope.locator("mark:visible").all_text_contents()]


def text_of(page):
    """What is shown, without the types and the probabilities."""
    text = page.eval_on_selector_all(".text p", "lines => lines.map(line => line.textContent).join('\\n')")
    return re.sub(r" \w+ \d\.\d\d", "", text)


def status(page):
    return page.get_by_role("status").inner_text()


def error(page):
    page.wait_for_selector("#error:not(:empty)")
    return page.get_by_role("alert").inner_text()


def wait_for_text(page, selector, text):
    from playwright.sync_api import expect

    expect(page.locator(selector)).to_contain_text(text)


def slide(page, value):
    page.get_by_label("Least probability").fill(str(value))


ALL_MARKS = ["Marta Keller person 0.98", "Oslo location 0.75", "Jonas Lindholm person 0.60", "Porto location 0.50"]
ALL_MARKS.append("Marta Keller person 0.98")


def test_entities_are_marked(opened, stub):
    page = opened()
    tag(page)
    assert marks(page) == ALL_MARKS
    assert status(page) == "tweets: 5 entities."
    assert stub.requests == [{"document": TEXT, "model": "tweets"}]
    assert text_of(page) == TEXT
    assert len({mark.get_attribute("class") for mark in page.locator("mark").all()}) == 2  # a colour for each type


def test_an_example_is_tagged(opened, stub):
    page = opened()
    for button in page.get_by_role("group", name="Examples").get_by_role("button").all():
        button.click()
        page.wait_for_selector("#results:not([aria-busy])")  # the last example's answer stands until this one's comes
    assert len(stub.requests) == 4 and stub.requests[0]["document"].startswith("Marta Keller flies from Lisbon to Oslo")
    assert page.get_by_label("Text", exact=True).input_value() == stub.requests[-1]["document"]


def test_the_threshold_filters_without_a_request(opened, stub):
    page = opened()
    tag(page)
    slide(page, 0.6)
    assert marks(page) == [*ALL_MARKS[:3], ALL_MARKS[4]]
    assert status(page) == "tweets: 4 entities, 1 below the threshold."
    slide(page, 0.61)
    assert marks(page) == [*ALL_MARKS[:2], ALL_MARKS[4]] and page.inner_text("#chosen") == "0.61"
    slide(page, 1)
    assert marks(page) == [] and "Jonas Lindholm stays in Porto" in page.text_content(".text")
    slide(page, 0)
    assert marks(page) == ALL_MARKS and len(stub.requests) == 1
    assert not page.get_by_label("Thresholds of the archive").is_visible()


def test_thresholds_of_the_archive(opened, stub, two):
    page = opened()
    page.select_option("#second", "news")
    tag(page)
    kept, least = page.get_by_label("Thresholds of the archive"), page.get_by_label("Least probability")
    kept.check()
    tweets, news = page.get_by_role("region", name="tweets"), page.get_by_role("region", name="news")
    assert marks(tweets) == ["Marta Keller person 0.98", "Oslo location 0.75", "Marta Keller person 0.98"]
    assert len(marks(news)) == 4 and least.is_enabled()  # has none of its own
    slide(page, 0.85)
    assert len(marks(tweets)) == 3 and len(marks(news)) == 2
    page.select_option("#second", "")
    news.wait_for(state="detached")
    assert least.is_disabled() and len(marks(tweets)) == 3
    kept.uncheck()
    assert least.is_enabled() and len(marks(tweets)) == 2
    assert "thresholds: person 0.70, location 0.70" in tweets.inner_text()


def test_types_without_a_threshold_and_with_odd_names(opened, stub):
    """Names that every object of JavaScript has already."""
    names = {"Oslo": ("constructor", 0.3), "Porto": ("__proto__", 0.4), "Marta Keller": ("toString", 0.9)}
    stub.model("odd", names, thresholds={"toString": 0.95})
    page = opened()
    tag(page)
    page.get_by_label("Thresholds of the archive").check()
    assert marks(page) == ["Oslo constructor 0.30", "Porto __proto__ 0.40"]


def test_alternatives_by_click(opened, stub):
    """They are asked for when they are to be seen, for the tokens of the sentence."""
    page = opened()
    tag(page)
    dialog = page.get_by_role("dialog")
    page.locator("mark").last.click()
    assert page.get_by_role("dialog", name="Marta Keller person 0.98").is_visible()
    page.wait_for_selector("dialog td")
    rows = [row.inner_text().split("\t") for row in dialog.get_by_role("row").all()]
    assert rows[1:] == [["Marta", "person", "0.01"], ["Marta Keller", "group", "<0.01"]]
    assert stub.requests[1:] == [{"tokens": TEXT.split(), "model": "tweets", "alternatives": 5}]
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()
    page.locator("mark").nth(1).click()
    wait_for_text(page, "dialog", "Oslo location 0.75")
    wait_for_text(page, "dialog", "There are no alternatives.")
    page.mouse.click(5, 5)
    assert not dialog.is_visible()


def test_alternatives_are_pieces_of_the_text(opened, stub):
    """Of the sentence of the entity, whatever stands between its tokens."""
    text = "😀 so. Marta Keller-Oslo\u00a0\nKeller"
    words = ["😀", "so", ".", "Marta", "Keller", "-", "Oslo", "\u00a0", "\n", "Keller"]
    entity = {"text": "Marta", "label": "person", "start": 6, "end": 11, "start_token": 3, "end_token": 4}
    sentences = [
        {"start": 0, "end": 5, "start_token": 0, "end_token": 3},
        {"start": 6, "end": len(text), "start_token": 3, "end_token": 10},
    ]
    answer = {"words": words, "tags": ["O"] * 10, "sentences": sentences, "entities": [{**entity, "probability": 0.9}]}
    spans = [(0, 4), (1, 3), (0, 1), (3, 7)]
    alternatives = [{"start_token": one, "end_token": end, "label": "x", "probability": 0.1} for one, end in spans]
    other = {**entity, "start_token": 0, "end_token": 1, "probability": 0.9, "alternatives": alternatives}
    page = opened()
    for one in (answer, {"entities": [{**other, "end_token": 2, "alternatives": []}, other]}):
        stub.responses.append((200, {}, {"model": "tweets", "answers": [one]}))
    tag(page, text)
    page.locator("mark").click()
    page.wait_for_selector("dialog td")
    pieces = page.locator("dialog td:first-child").all_text_contents()
    assert pieces == ["Marta Keller-Oslo", "Keller-", "Marta", "Oslo\u00a0\nKeller"]
    assert stub.requests[1]["tokens"] == words[3:]


def test_alternatives_that_cannot_be_had(opened, stub):
    page = opened()
    tag(page)
    stub.responses.append((504, {}, {"detail": "the answer was not ready within 30 s"}))
    page.locator("mark").first.click()
    wait_for_text(page, "dialog", "The answer was not ready within 30 s.")
    page.keyboard.press("Escape")
    stub.responses.append((503, {"Retry-After": "1"}, {"detail": "busy"}))
    page.locator("mark").first.click()
    wait_for_text(page, "dialog", "The server is busy. Next try in 1 s.")
    page.wait_for_selector("dialog td")
    page.keyboard.press("Escape")
    slow = threading.Event()
    stub.responses.append(slow)
    page.locator("mark").first.click()
    wait_for_text(page, "dialog", "Looking for alternatives")
    page.keyboard.press("Escape")
    page.locator("mark").nth(1).click()  # whose answer comes first
    wait_for_text(page, "dialog", "There are no alternatives.")
    slow.set()
    page.wait_for_timeout(200)
    assert "There are no alternatives." in page.inner_text("dialog")
    page.keyboard.press("Escape")
    stub.token = "secret"
    page.locator("mark").first.click()
    assert error(page) == "The server wants its token." and focused(page) == "token"
    assert not page.get_by_role("dialog").is_visible() and marks(page) == ALL_MARKS


def focused(page):
    return page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")


def test_by_keyboard_alone(opened, stub, two):
    page = opened()
    press = page.keyboard.press

    def until(name):
        for _ in range(30):
            if focused(page) == name:
                return
            press("Tab")
            if page.evaluate("document.activeElement !== document.body"):
                assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        raise AssertionError(f"Tab does not come to {name}")

    until("text")
    page.keyboard.type("Marta Keller and Jonas Lindholm in Porto")
    press("Control+Enter")
    page.wait_for_selector("section")
    until("second")
    press("ArrowDown")  # tags by the first archive beside itself, which is shown once
    press("ArrowDown")
    page.get_by_role("region", name="news").wait_for()
    until("least")
    for _ in range(5):
        press("PageUp")
    assert page.inner_text("#chosen") == "0.50"
    until("Marta Keller person 0.98")
    press("ArrowRight")
    press("ArrowDown")
    assert focused(page) == "Porto location 0.50"
    press("ArrowRight")  # stays at the last one
    press("ArrowLeft")
    assert focused(page) == "Jonas Lindholm person 0.60"
    press("Home")
    press("Enter")
    assert page.get_by_role("dialog").is_visible() and focused(page) == "close"
    press("Escape")
    assert not page.get_by_role("dialog").is_visible() and focused(page) == "Marta Keller person 0.98"
    press("End")
    press("Space")
    assert page.get_by_role("dialog", name="Porto location 0.50").is_visible()
    press("Escape")
    press("Tab")  # one stop for all entities of a text
    assert focused(page) == "JSON"
    press("Shift+Tab")  # back to the entity that was the last one
    assert focused(page) == "Porto location 0.50"
    press("Tab")
    with page.expect_download() as download:
        press("Enter")
    assert download.value.suggested_filename == "tweets.json"
    until("columns")
    press("Tab")
    assert focused(page) == "Marta Keller person 0.90"  # of the second archive
    press("Shift+Tab")
    assert focused(page) == "columns"


def test_arrows_follow_the_direction_of_writing(opened, stub):
    stub.model("many", {"דוד כהן": ("person", 0.9), "תל אביב": ("location", 0.8), "Marta Keller": ("person", 0.7)})
    page = opened()
    tag(page, f"{RTL}\nMarta Keller")
    assert marks(page)[:2] == ["דוד כהן person 0.90", "תל אביב location 0.80"]
    assert page.eval_on_selector_all(".text p", "all => all.map(p => getComputedStyle(p).direction)") == ["rtl", "ltr"]
    boxes = [mark.bounding_box() for mark in page.locator("mark").all()]
    assert boxes[0]["x"] > boxes[1]["x"] > boxes[2]["x"]
    for entity in page.locator("mark").all():
        label = entity.locator("b").bounding_box()
        left = entity.bounding_box()["x"]
        at_left = label["x"] - left < 10
        assert at_left == (entity.evaluate("mark => getComputedStyle(mark).direction") == "rtl")  # behind the words
    page.locator("mark").first.focus()
    page.keyboard.press("ArrowLeft")
    assert focused(page) == "תל אביב location 0.80"
    page.keyboard.press("ArrowRight")
    assert focused(page) == "דוד כהן person 0.90"


@pytest.mark.parametrize("width", [390, 1280])
def test_two_archives(opened, two, width):
    page = opened(width)
    page.get_by_label("Beside it").select_option("news")
    tag(page)
    assert status(page) == "tweets: 5 entities. news: 4 entities."
    boxes = [section.bounding_box() for section in page.get_by_role("region").all()]
    if width == 390:
        assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
    else:
        assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    tweets, news = page.get_by_role("region", name="tweets"), page.get_by_role("region", name="news")
    assert marks(tweets) == ALL_MARKS
    assert marks(news) == [
        "Marta Keller person 0.90",
        "Jonas person 0.70",
        "Porto group 0.80",
        "Marta Keller person 0.90",
    ]
    assert page.is_visible("#dashed")
    lacking = "Oslo location 0.75, not so in news"
    assert tweets.get_by_role("button", name=lacking).is_visible()
    differing = [tweets.locator("mark.differs"), news.locator("mark.differs")]
    assert [mark.text_content().split(" ")[0] for mark in differing[0].all()] == ["Oslo", "Jonas", "Porto"]
    # `tweets` does not know groups, and has an entity at Porto.
    assert [mark.text_content().split(" ")[0] for mark in differing[1].all()] == ["Jonas"]
    color = "mark => getComputedStyle(mark).backgroundColor"
    assert tweets.locator("mark").first.evaluate(color) == news.locator("mark").first.evaluate(color)
    page.get_by_role("combobox", name="Archive").select_option("news")  # which tags anew
    tweets.wait_for(state="detached")
    assert page.get_by_role("region").count() == 1 and page.locator("mark.differs").count() == 0
    assert not page.is_visible("#dashed")


def test_what_is_known_of_an_archive(opened, stub):
    stub.model("b", {}, language="nl", development_f1=53.14, calibrated=True)
    stub.model("c", {}, language=None)
    page = opened()
    page.select_option("#second", "c")
    tag(page)
    notes = page.locator("section .note:not([aria-hidden])").all_inner_texts()
    assert notes == ["language nl · development F1 53.1 · calibrated", "not calibrated"]
    assert page.locator(".text").first.get_attribute("lang") == "nl"
    assert page.locator(".text").last.get_attribute("lang") is None
    assert page.get_by_label("Beside it").is_visible()


def saved(page, name):
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    return download.value.suggested_filename, download.value.path().read_text(encoding="utf-8")


def test_exports_are_what_is_shown(opened, stub):
    page = opened()
    tag(page)
    slide(page, 0.55)
    answer = stub.tag(TEXT, "tweets")
    answer["entities"] = [entity for entity in answer["entities"] if entity["text"] != "Porto"]
    answer["tags"][answer["words"].index("Porto")] = "O"

    file, content = saved(page, "Save tweets as JSON")
    assert file == "tweets.json" and content.endswith("}\n")
    in_json = json.loads(content)
    in_json["entities"].sort(key=str)
    assert in_json == {"text": TEXT, **answer, "entities": sorted(answer["entities"], key=str)}

    file, content = saved(page, "Save tweets as doccano")
    (row,) = map(json.loads, content.splitlines())
    assert file == "tweets.jsonl" and row.keys() == {"text", "label"} and row["text"] == TEXT
    assert sorted((TEXT[start:end], label) for start, end, label in row["label"]) == [
        *(("Jonas Lindholm", "person"), ("Marta Keller", "person"), ("Marta Keller", "person"), ("Oslo", "location"))
    ]

    file, content = saved(page, "Save tweets as columns")
    assert file == "tweets.conll" and content == as_columns(Row("", {}, TEXT, 0), answer)


def test_columns_leave_out_white_space(opened, stub):
    """What Python takes for white space, and nothing else."""
    page = opened()
    odd = [chr(code) for code in range(1, 0x10000) if chr(code).isspace() or code in (0x180E, 0x200B, 0xFEFF)]
    answer = {"words": ["a", *odd, "b", "c"], "tags": ["O"] * (len(odd) + 3), "entities": []}
    answer["sentences"] = [{"end_token": len(odd) + 2}, {"end_token": len(odd) + 3}]
    stub.responses.append((200, {}, {"model": "tweets", "answers": [answer]}))
    tag(page)
    _, content = saved(page, "Save tweets as columns")
    assert content == "a\tO\n\u180e\tO\n\u200b\tO\n\ufeff\tO\nb\tO\n\nc\tO\n\n"


def test_characters_beyond_the_first_plane(opened, stub):
    """Offsets count code points, strings of JavaScript do not."""
    names = {"𝒪slo": ("location", 0.9), "👩‍👩‍👧": ("group", 0.8), "Zoë": ("person", 0.7), "🇳🇴": ("location", 0.6)}
    stub.model("astral", names)
    text = "😀😀 𝒪slo 🎉 👩‍👩‍👧\n𐍈 Zoë é 🇳🇴 end 𝒪slo"
    page = opened()
    tag(page, text)
    expected = re.findall("|".join(names), text)
    assert [mark.split(" ")[0] for mark in marks(page)] == expected and len(expected) == 5
    assert text_of(page) == text
    _, content = saved(page, "Save astral as doccano")
    row = json.loads(content)
    assert [row["text"][start:end] for start, end, _ in sorted(row["label"])] == expected


def test_entities_that_overlap_are_marked_once(opened, stub):
    stub.model("odd", {"Marta Keller": ("person", 0.9), "Keller": ("person", 0.5)})
    page = opened()
    tag(page, "Marta Keller flies")
    assert marks(page) == ["Marta Keller person 0.90"] and page.text_content(".text").endswith(" flies")


def test_an_entity_over_two_lines(opened, stub):
    stub.model("odd", {"Marta\nKeller": ("person", 0.9), "Oslo": ("location", 0.9)})
    page = opened()
    tag(page, "with Marta\nKeller to\nOslo")
    assert marks(page) == ["Marta Keller person 0.90", "Oslo location 0.90"] and page.locator(".text p").count() == 2


def test_unseen_characters_are_seen(opened, stub):
    stub.model("a\u202eb", {"Oslo": ("loc\u202ea", 0.9)})
    page = opened()
    tag(page, "x\u202ey \x1b Oslo\tz \u2066 \u200fa")
    assert page.text_content(".text").startswith("x\\u202ey \\x1b Oslo")
    assert "\u200f" in page.text_content(".text") and "\\u2066" in page.text_content(".text")
    assert marks(page) == ["Oslo loc\\u202ea 0.90"] and "\u202e" not in page.inner_text("body")


def test_nothing_is_read_as_html(opened, stub):
    other = (1, 9, {"label": f"l{SCRIPT}", "probability": 0.1})
    stub.model(
        f"n{SCRIPT}", {"Oslo": (f"t{SCRIPT}", 0.9, [other])}, language=f"<{SCRIPT}", thresholds={f"t{SCRIPT}": 0.1}
    )
    stub.model("plain", {})
    page = opened()
    page.select_option("#second", "plain")
    tag(page, f"Oslo {SCRIPT}")
    page.locator("mark").first.click()
    wait_for_text(page, "dialog td >> nth=0", SCRIPT)
    wait_for_text(page, "dialog td >> nth=1", f"l{SCRIPT}")
    page.keyboard.press("Escape")
    for name in (f"n{SCRIPT}: 1 entity.", f"t{SCRIPT} 0.90", f" {SCRIPT}"):
        assert name in page.inner_text("main")
    saved(page, re.compile("Save n.* as columns"))
    stub.responses += [(422, {}, {"detail": f"wrong {SCRIPT}"})] * 2
    page.get_by_role("button", name="Tag").click()
    assert error(page) == f"Wrong {SCRIPT}."
    assert page.evaluate("window.ran") is None and page.locator("#bold, img, main script").count() == 0


def test_no_other_script_or_style_is_used(browser, stub):
    """Should a text get past the escaping, the page's own rules stop it."""
    stub.model("tweets", NAMES)
    with browser.new_context() as context:
        page = context.new_page()
        changed = PAGE.read_text(encoding="utf-8").replace(
            "<main>", f"<main>{SCRIPT}<style>h1 {{ color: red }}</style>"
        )
        page.route(stub.address, lambda route: route.fulfill(body=changed, content_type="text/html"))
        page.goto(stub.address)
        tag(page)
        assert page.evaluate("window.ran") is None
        assert page.eval_on_selector("h1", "h1 => getComputedStyle(h1).color") != "rgb(255, 0, 0)"
        with pytest.raises(Exception, match="TrustedHTML"):
            page.evaluate("document.body.innerHTML = '<p>'")


@pytest.mark.parametrize("name", ["script", "style"])
def test_the_hashes_of_the_policy(name):
    page = PAGE.read_text(encoding="utf-8")
    (content,) = re.findall(rf"<{name}>(.*?)</{name}>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    assert f"{name}-src 'sha256-{digest}'" in page, f"page.html must have {name}-src 'sha256-{digest}'"


def test_colours_are_those_of_the_report():
    css = (PAGE.parents[1] / "evaluation" / "templates" / "report.css").read_text(encoding="utf-8").splitlines()
    shared = [line for line in css if line.lstrip().startswith((":root", ".t"))]
    shared = [line for line in shared if not line.startswith(".text")]
    assert len(shared) == 12
    assert [line for line in shared if line not in PAGE.read_text(encoding="utf-8").splitlines()] == []


def test_the_token(opened, stub):
    stub.token = "secret"
    page = opened()
    assert error(page) == "The server wants its token."
    field = page.get_by_label("Token of this server")
    assert focused(page) == "token" and page.locator("#first option").count() == 0
    for token, said in (("wrong", "The server does not accept this token."), ("ñ", "A token has only ASCII")):
        field.fill(token)
        page.keyboard.press("Enter")
        wait_for_text(page, "#error", said)
    field.fill("secret")
    page.get_by_role("button", name="Use the token").click()
    field.wait_for(state="hidden")
    tag(page)
    assert marks(page) == ALL_MARKS and page.inner_text("#error") == ""
    stub.token = "changed"
    page.get_by_role("button", name="Tag").click()
    assert error(page) == "The server does not accept this token." and marks(page) == []
    field.fill("changed")
    page.keyboard.press("Enter")  # tags the text
    page.wait_for_selector("section")
    assert marks(page) == ALL_MARKS and not field.is_visible()


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (
            (413, {}, {"detail": "the text has more than 9 characters: split it"}),
            "The text has more than 9 characters: split it.",
        ),
        ((422, {}, {"detail": "`document`\nmust be\n\ta text."}), "`document` must be a text."),
        ((422, {}, {"detail": [{"msg": "x"}]}), "The server answered with status 422."),
        ((504, {}, {"detail": "the answer was not ready within 30 s"}), "The answer was not ready within 30 s."),
        ((502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>"), "The server answered with status 502."),
        ((200, {}, {"model": "tweets", "answers": [{"error": "no text"}]}), "No text."),
        (
            (200, {"Content-Type": "text/html"}, b"<h1>Log in</h1>"),
            "The server's answer is not what this page expects.",
        ),
    ],
)
def test_errors_are_told_in_one_line(response, said, opened, stub):
    page = opened()
    tag(page)
    stub.responses.append(response)
    page.get_by_role("button", name="Tag").click()
    assert error(page) == said and page.locator("section").count() == 0 and status(page) == ""
    tag(page)  # the next one is as if nothing had been
    assert marks(page) == ALL_MARKS and page.get_by_role("alert").inner_text() == ""


def test_no_text(opened, stub):
    page = opened()
    for text in ("", " \n\t "):
        page.get_by_label("Text", exact=True).fill(text)
        page.get_by_role("button", name="Tag").click()
        assert error(page) == "There is no text to tag." and focused(page) == "text"
    assert stub.requests == []


def test_one_of_two_archives_fails(opened, stub, two):
    page = opened()
    page.select_option("#second", "news")
    for model in ("tweets", "news"):
        stub.by_model = {model: (413, {}, {"detail": "too long"})}
        tag(page)
        assert error(page) == f"{model}: Too long." and page.get_by_role("region").count() == 1
    stub.by_model = {"tweets": (413, {}, {"detail": "too long"}), "news": (504, {}, {"detail": "too slow"})}
    page.get_by_role("button", name="Tag").click()
    wait_for_text(page, "#error", "slow")
    assert error(page) == "tweets: Too long. news: Too slow." and page.get_by_role("region").count() == 0


def test_a_busy_server_is_asked_again(opened, stub):
    page = opened()
    busy = (503, {"Retry-After": "1"}, {"detail": "256 requests wait already: try again in a second"})
    stub.responses += [busy, busy]
    page.get_by_label("Text", exact=True).fill(TEXT)
    started = time.monotonic()
    page.get_by_role("button", name="Tag").click()
    wait_for_text(page, "#status", "The server is busy. Next try in 1 s.")
    page.wait_for_selector("section")
    assert time.monotonic() - started > 1.9 and marks(page) == ALL_MARKS and len(stub.requests) == 3


def test_a_server_that_stays_busy(opened, stub):
    page = opened()
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    stub.responses += [(503, {"Retry-After": retry}, {"detail": "busy"}) for retry in ("7", "-5", "99999", "soon", "1")]
    page.get_by_label("Text", exact=True).fill(TEXT)
    page.get_by_role("button", name="Tag").click()
    for tries, seconds in enumerate((7, 1, 30, 1), 1):
        wait_for_text(page, "#status", f"The server is busy. Next try in {seconds} s.")
        page.clock.run_for(1000 * seconds - 10)
        assert len(stub.requests) == tries
        page.clock.run_for(20)
        while len(stub.requests) == tries:
            page.wait_for_timeout(10)
    assert error(page) == "Busy." and len(stub.requests) == 5


def test_a_newer_request_counts(opened, stub):
    """The answer to the older one is not shown, whenever it comes."""
    page = opened()
    slow = threading.Event()
    stub.responses.append(slow)
    page.get_by_label("Text", exact=True).fill("Porto is old")
    page.get_by_role("button", name="Tag").click()
    while not stub.requests:
        page.wait_for_timeout(10)
    tag(page, "Oslo is new")
    slow.set()
    page.wait_for_timeout(200)
    assert marks(page) == ["Oslo location 0.75"] and page.inner_text("#error") == ""


def test_a_newer_request_counts_while_an_older_one_waits_to_come_again(opened, stub):
    page = opened()
    stub.responses.append((503, {"Retry-After": "1"}, {"detail": "busy"}))
    page.get_by_label("Text", exact=True).fill("Porto is old")
    page.get_by_role("button", name="Tag").click()
    wait_for_text(page, "#status", "The server is busy")
    tag(page, "Oslo is new")
    page.wait_for_timeout(1300)
    assert marks(page) == ["Oslo location 0.75"] and status(page) == "tweets: 1 entity."
    assert [request["document"] for request in stub.requests] == ["Porto is old", "Oslo is new"]


def test_without_the_server(opened, stub):
    page = opened()
    tag(page)
    page.context.set_offline(True)
    page.get_by_role("button", name="Tag").click()
    assert error(page) == "The server does not answer. See whether it runs, and try again."
    page.context.set_offline(False)
    tag(page)
    assert marks(page) == ALL_MARKS


def test_a_server_that_comes_late(opened, stub):
    """Without the archives' names at first, the page asks for them again with the text."""
    stub.model("tweets", NAMES)
    models, stub.models = stub.models, None
    page = opened()
    assert error(page) == "The server's answer is not what this page expects."
    stub.models = models
    tag(page)
    assert marks(page) == ALL_MARKS


def test_long_texts(opened, stub):
    page = opened()
    text = "Marta Keller flies 😀 to Oslo with a bag .\n" * 2400
    assert len(text) > 100_000
    page.set_default_timeout(30_000)  # for a machine with much else to do
    page.get_by_label("Text", exact=True).evaluate("(field, text) => field.value = text", text)
    page.get_by_role("button", name="Tag").click()
    page.wait_for_selector("#results:not([aria-busy])")
    assert page.locator("mark").count() == 4800
    slide(page, 0.9)
    assert page.locator("mark").count() == 2400
    page.locator("mark").last.click()
    assert page.get_by_role("dialog").is_visible()


LONG = "longnamewithoutanybreak" * 6


@pytest.fixture
def wide(stub):
    """Long names of archives and types, a long word, and long thresholds."""
    alternatives = [(0, 2, {"label": f"type-{LONG}", "probability": 0.2})] * 5
    for name in (f"archive-{LONG}", f"other-{LONG}"):
        types = {**NAMES, "Oslo": (f"type-{LONG}", 0.9, alternatives), LONG: ("person", 0.8)}
        stub.model(name, types, thresholds={f"type-{LONG}": 0.5, "person": 0.25}, development_f1=50.0)
    return f"Oslo {LONG} and Marta Keller\n{RTL} Oslo"


CUT = """elements => elements.filter(element => { const box = element.getBoundingClientRect(); return box.right > innerWidth + 0.5
         || box.left < -0.5 || element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline' })
         .map(element => element.outerHTML.slice(0, 200))"""
OVERLAPS = """elements => elements.flatMap((one, index) => elements.slice(index + 1).filter(other => {
  const mine = [...one.getClientRects()], theirs = [...other.getClientRects()];
  return mine.some(a => theirs.some(b => a.left + 1 < b.right && b.left + 1 < a.right && a.top + 1 < b.bottom && b.top + 1 < a.bottom));
}).map(other => one.outerHTML.slice(0, 99) + ' over ' + other.outerHTML.slice(0, 99)))"""


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_or_overlaps(opened, stub, wide, width, tmp_path):
    page = opened(width)
    page.locator("#second").select_option(stub.models[1]["name"])
    page.evaluate("""const all = new CSSStyleSheet(); all.replaceSync('.text p { content-visibility: visible; }');
                     document.adoptedStyleSheets = [all]""")  # text out of view has no size of its own
    tag(page, wide)
    for state in ("result", "dialog", "error"):
        if state == "dialog":
            page.locator("mark").first.click()
            page.wait_for_selector("dialog td")
        if state == "error":
            page.keyboard.press("Escape")
            stub.responses.append((413, {}, {"detail": LONG * 3}))
            page.get_by_role("button", name="Tag").click()
            error(page)
            page.evaluate("document.getElementById('access').hidden = false")
        page.screenshot(path=tmp_path / f"{state}.png", full_page=True)  # to look at
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = "h1, h2, p, label, button, textarea, select, input, section, .row, .text, dialog[open], dialog[open] td"
        assert page.eval_on_selector_all(boxes, CUT) == []
        assert page.eval_on_selector_all("main mark, main button, main label, main h2", OVERLAPS) == []
        small = "all => all.filter(e => e.offsetHeight && e.offsetHeight < 40).map(e => e.outerHTML)"
        assert page.eval_on_selector_all("button, select, label:has([type=checkbox])", small) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(opened, two, scheme):
    page = opened(390, scheme)
    page.select_option("#second", "news")
    tag(page)
    color = "element => [getComputedStyle(element).color, getComputedStyle(element).backgroundColor]"
    ink, paper = page.eval_on_selector("body", color)
    assert (luminance(paper) < 0.1) == (scheme == "dark")
    for selector in ("h1", ".note", "label", "#status", "#error", ".text p", "dialog th", "dialog td"):
        if selector.startswith("dialog"):
            page.locator("mark").first.click()
            page.wait_for_selector("dialog td")
            paper = page.eval_on_selector("dialog", color)[1]
        assert contrast(page.eval_on_selector(selector, color)[0], paper) >= 4.5, selector
        page.keyboard.press("Escape")
    assert contrast(ink, paper) >= 4.5
    for control in page.locator("textarea, select, button, mark, mark b").all():
        assert contrast(*control.evaluate(color)) >= 4.5
    for control in page.locator("textarea, select, button").all():
        assert contrast(control.evaluate("element => getComputedStyle(element).borderTopColor"), paper) >= 3
    page.keyboard.press("Tab")
    assert contrast(page.evaluate("getComputedStyle(document.activeElement).outlineColor"), paper) >= 3


def test_roles_and_names(opened, two):
    page = opened()
    page.select_option("#second", "news")
    tag(page, "Oslo and Marta Keller")
    snapshot = page.locator("body").aria_snapshot()
    for line in (
        '- heading "Named entities" [level=1]',
        '- textbox "Text": Oslo and Marta Keller',
        '- group "Examples":',
        '- combobox "Archive":',
        '- combobox "Beside it":',
        '- button "Tag"',
        '- group "Threshold":',
        '- slider "Least probability": "0"',
        '- checkbox "Thresholds of the archive"',
        '- status: "tweets: 2 entities. news: 1 entity."',
        "- alert",
        '- region "tweets":',
        '- heading "tweets" [level=2]',
        '- group "Text with its entities":',
        '- button "Oslo location 0.75, not so in news"',
        '- button "Save tweets as JSON": JSON',
        '- button "Save news as columns": columns',
    ):
        assert line in snapshot, snapshot
    unnamed = page.evaluate("""[...document.querySelectorAll('button, select, input:not([hidden]), textarea')]
        .filter(e => !e.labels?.length && !e.getAttribute('aria-label') && !e.textContent.trim()).map(e => e.outerHTML)""")
    assert unnamed == []
    page.get_by_role("button", name="Marta Keller person 0.98").click()
    assert '- dialog "Marta Keller person 0.98":' in page.locator("body").aria_snapshot()
    page.wait_for_selector("dialog td")
    within = page.locator("body").aria_snapshot()
    assert '- table "Alternatives":' in within and '- columnheader "Probability"' in within
    assert page.evaluate("document.documentElement.lang") == "en" and page.title() == "Named entities"


def test_without_scripts(opened):
    page = opened(java_script_enabled=False)
    assert "This page needs JavaScript" in page.inner_text("main")


def test_the_page_is_installed(repository):
    files = re.search(r'"roseq_allennlp": \[(.*?)\]', (repository / "setup.py").read_text(encoding="utf-8"))
    assert '"_serving/page.html"' in files[1] and Path(PAGE).stat().st_size < 40_000


# The server itself, with the archive of fixtures/


@contextlib.contextmanager
def running(taggers, **settings):
    """Serves taggers in a thread, and gives the address."""
    from roseq_allennlp._serving.app import create_app
    from roseq_allennlp._serving.server import bound, server_for
    from roseq_allennlp._serving.settings import Settings

    ready = threading.Event()
    with bound("127.0.0.1", 0) as listener:
        chosen = Settings(**settings)
        server = server_for(create_app(taggers, chosen), chosen, lambda line: ready.set())
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert ready.wait(30)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(30)


REAL = "Marta Keller flies from Lisbon to Oslo 🙂 tomorrow.\n\nso happy @jonas got a job at Nordlight Labs !!! Oslo\u00a0is cold."


def test_the_server_itself(opened, tagger):
    """What is marked, shown as alternatives and saved is what the tagger gives."""
    with running({"fixture": tagger, "same": tagger}) as address:
        page = opened(address=address)
        tag(page, REAL)
        answer = tagger.tag_document(REAL)
        assert len(answer["entities"]) > 4
        expected = [f"{entity['text']} {entity['label']} {entity['probability']:.2f}" for entity in answer["entities"]]
        assert marks(page) == expected
        least = sorted(entity["probability"] for entity in answer["entities"])[len(expected) // 2] // 0.01 / 100
        slide(page, least)
        answer = tagger.tag_document(REAL, min_probability=least)
        assert 0 < len(answer["entities"]) == len(marks(page)) < len(expected)
        in_json = json.loads(saved(page, "Save fixture as JSON")[1])
        for one in [*in_json["entities"], *answer["entities"]]:
            one["probability"] = pytest.approx(one["probability"], abs=1e-5)  # depends on the batch by its last digits
        assert in_json == {"text": REAL, **answer}
        assert saved(page, "Save fixture as columns")[1] == as_columns(Row("", {}, REAL, 0), answer)
        labels = json.loads(saved(page, "Save fixture as doccano")[1])["label"]
        assert labels == [[entity["start"], entity["end"], entity["label"]] for entity in answer["entities"]]
        page.locator("mark").first.click()
        page.wait_for_selector("dialog td")
        (first, *_) = expected_alternatives = tagger.tag_document(REAL)["entities"]
        add_alternatives(tagger, [(REAL, {**tagger.tag_document(REAL), "entities": expected_alternatives})], 5)
        rows = [row.inner_text().split("\t") for row in page.get_by_role("dialog").get_by_role("row").all()]
        assert [row[:2] for row in rows[1:]] == [[one["text"], one["label"]] for one in first["alternatives"]]
        assert len(rows) == 6
        page.keyboard.press("Escape")
        page.select_option("#second", "same")
        page.get_by_role("region", name="same").wait_for()
        assert marks(page.get_by_role("region", name="fixture")) == marks(page.get_by_role("region", name="same"))
        assert page.locator("mark.differs").count() == 0


def test_the_server_itself_refuses(opened, tagger):
    with running({"fixture": tagger}, token="very-secret", max_text=1000, max_body=100_000, time_limit=30) as address:
        page = opened(address=address)
        assert error(page) == "The server wants its token."
        page.get_by_label("Token of this server").fill("very-secret")
        page.keyboard.press("Enter")
        page.wait_for_selector("#first option", state="attached")
        for text, said in (
            ("Oslo " * 1000, "The text has more than 1000 characters: split it."),
            ("Oslo " * 100_000, "The body is larger than 100000 bytes: send fewer or shorter texts at a time."),
        ):
            page.get_by_label("Text", exact=True).evaluate("(field, text) => field.value = text", text)
            page.get_by_role("button", name="Tag").click()
            wait_for_text(page, "#error", said)
        page.get_by_label("Text", exact=True).evaluate("field => field.value = 'half \ud83d a character'")
        page.get_by_role("button", name="Tag").click()
        wait_for_text(page, "#error", "half a character")
        tag(page, REAL)
        assert page.locator("mark").count() > 4 and page.inner_text("#error") == ""
