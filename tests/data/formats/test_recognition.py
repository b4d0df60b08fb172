import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.formats import FORMATS, format_of_output, recognised


@pytest.mark.parametrize(
    "content, name, expected",
    [
        ('\n{"text": "a", "label": []}', "a.json", "doccano"),
        ('{"text": "a", "entities": []}', "a.ndjson", "doccano"),
        ('{"text": "a", "label": "SPORTS", "spans": []}', "a.jsonl", "prodigy"),
        ('{"tokens": ["a"], "ner_tags": [0], "spans": ["PER: a"]}', "a.jsonl", "hf"),
        ("\n[\n", "a.json", "label-studio"),
        ("a\tO\n", "emerging.test.annotated", "columns"),
        ("a N I-x\n", "ned.train", "columns"),
        ("-DOCSTART- -X- O O\n", "eng.testa", "columns"),
        ("# text\n", "a.iob2", "columns"),
    ],
)
def test_by_name_and_beginning(write, content, name, expected):
    assert recognised(write(content, name)) == expected


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("Just a text.\n", "line 1: 'Just a text.' begins none of the known formats. Name the format: doccano, "),
        ('{"text": "a"}', "line 1: a row with the keys ['text'] is in none of the known formats"),
        ('{"text": "a"', "line 1: not JSON"),
        ("a,b,c\n", "begins none of the known formats"),
    ],
)
def test_what_is_not_recognised(write, content, message):
    path = write(content, "file.txt")
    with pytest.raises(ConfigurationError) as caught:
        recognised(path)
    assert str(caught.value).startswith(path) and message in str(caught.value)


def test_a_directory_of_neither_kind(tmp_path):
    with pytest.raises(ConfigurationError, match="neither .ann files"):
        recognised(str(tmp_path))


def test_the_output_by_its_name():
    names = {
        "a.spacy": "spacy",
        "a.conllu": "conllu",
        "a.conll.gz": "columns",
        "a.json": "label-studio",
        "a.parquet": "hf",
    }
    assert {name: format_of_output(name) for name in names} == names
    for name in ("a.jsonl", "-", "directory"):
        with pytest.raises(ConfigurationError, match=r"its name does not tell the format\. Name the format: .*--to"):
            format_of_output(name)


@pytest.mark.parametrize(
    "name", [name for name, each in FORMATS.items() if each.extension and name not in ("doccano", "prodigy", "hf")]
)
def test_extensions_tell_the_format_where_only_one_has_it(name):
    assert format_of_output(f"a{FORMATS[name].extension}") == name


@pytest.mark.parametrize(
    "text, is_columns",
    [
        ("Ann\t?\nleft\tO\n", True),
        ("Ann ?\nleft -\n\nRome B-LOC\n", True),
        ("Really ?\nAnn left for Rome .\n", False),
        ("Really ?\nWho ?\n", False),
    ],
)
def test_an_unknown_tag_may_be_a_question(write, text, is_columns):
    path = write(text, "a.txt")
    if is_columns:
        assert recognised(path) == "columns"
    else:
        with pytest.raises(ConfigurationError, match="begins none of the known formats"):
            recognised(path)
