"""What a notebook shows of an answer."""

import html
import json
import re

from roseq_allennlp.predictors.answer import Answer


def marked(answer: Answer) -> list[tuple[str, str]]:
    """Text and label of each marked entity."""
    marks = re.findall(r"<mark[^>]*>\s*(.*?)\s*<span[^>]*>(.*?)</span>", answer._repr_html_(), re.DOTALL)
    return [(html.unescape(text), html.unescape(label)) for text, label in marks]


def test_the_entities_of_the_tagger_are_marked(tagger):
    for answer in (tagger.tag("Anna lives in Oslo"), tagger.tag_tokens(["Anna", "lives", "in", "Oslo"])):
        entities = [(entity["text"], f"{entity['label']} {entity['probability']:.2f}") for entity in answer["entities"]]
        assert entities and marked(answer) == entities
        alone = re.findall(r"<mark[^>]*>\n *(.*)\n", answer._repr_html_())  # no space of the text is in the mark
        assert alone == [text for text, _ in entities]
    document = tagger.tag_document("Anna lives in Oslo. Oslo is far.")
    assert len(marked(document)) == len(document["entities"]) > 1
    assert json.loads(json.dumps(document)) == document


def test_nothing_of_a_text_or_label_is_markup():
    entity = {"label": "<b>", "start_token": 1, "end_token": 2, "probability": 0.5}
    answer = Answer(words=["<script>", "<i>", "&"], tags=[], entities=[entity])
    assert marked(answer) == [("<i>", "<b> 0.50")]
    assert not re.search("<(script|i|b)>", answer._repr_html_())


def test_without_words_there_is_nothing_to_mark():
    assert "<mark" not in Answer(words=[], tags=[], entities=[])._repr_html_()
