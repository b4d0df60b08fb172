import pytest

from roseq_allennlp.data.column_file import ColumnFile
from roseq_allennlp.data.column_layout import find_layout
from roseq_allennlp.errors import ConfigurationError

ANNA = (["Anna", "flies", "to", "Oslo"], ["U-PER", "O", "O", "U-LOC"])
TITLES = "Sentence #,Word,Tag"
CSV = {"separator": ",", "token_column": 1, "sentence_column": 0}


def rows(template, sentence_ends="\n", first=1):
    """The sentence of ANNA twice, each token by a template of {number}, {sentence}, {word}, {bio}, {start} and {pos}."""
    text = ""
    for sentence in (1, 2):
        for number, (word, bio, pos) in enumerate(
            zip(ANNA[0], ("B-PER", "O", "O", "B-LOC"), ("NNP", "VBZ", "TO", "NNP"), strict=True), first
        ):
            start = f"Sentence: {sentence}" if number == first else ""
            text += template.format(number=number, sentence=sentence, word=word, bio=bio, pos=pos, start=start) + "\n"
        text += sentence_ends
    return text


def maps(per, loc, prefix="B"):
    return {"tag_map": {loc: f"{prefix}-LOC", per: f"{prefix}-PER"}}


@pytest.mark.parametrize(
    "text, options",
    [
        (rows("{word} {bio}"), {}),
        (rows("{word}\t{bio}"), {}),
        (rows("{word} {pos} {bio}"), {}),
        (rows("{word} {pos} B-NP {bio}"), {}),
        (rows("{word} {pos} {bio} B-NP"), {"tag_column": 2}),
        (rows("{number}\t{word}\t{bio}\tO"), {"token_column": 1, "tag_column": 2}),
        (rows("{number}\t{word}\t{bio}\t-\tann", first=0), {"token_column": 1, "tag_column": 2}),
        (rows("{bio}\t{word}"), {"token_column": 1, "tag_column": 0}),
        (rows("{word},{bio}"), {"separator": ","}),
        (rows("{word};{pos};{bio}"), {"separator": ";"}),
        (rows('"{word}","{bio}"'), {"quoting": "csv"}),
        (rows('"{word}";"{bio}"'), {"separator": ";", "quoting": "csv"}),
        (rows("{start},{word},{pos},{bio}", ""), CSV),
        (rows("{sentence}\t{word}\t{bio}", ""), {"token_column": 1, "sentence_column": 0}),
        (rows("{word}\t{sentence}\t{bio}", ""), {"sentence_column": 1}),
        (rows("{word}\t{bio}", "\n# id 2\tdomain=en\n"), {"comment_prefix": "# "}),
        ("# sent_id = O\n" + rows("{word} x {bio}"), {"comment_prefix": "# "}),
        ("#\thttp://example.org\t[2009]\n" + rows("{word}\t{bio}"), {"comment_prefix": "#\t"}),
        (TITLES + "\n" + rows("{start},{word},{bio}", ""), {**CSV, "comment_prefix": TITLES}),
        ("token\tlabel\n" + rows("{word}\t{bio}"), {"comment_prefix": "token\tlabel"}),
        (rows("{word} {bio}").replace("B-PER", "b-PER").replace("B-LOC", "b-LOC"), maps("b-PER", "b-LOC")),
        (rows("{word} {bio}").replace("B-", ""), maps("PER", "LOC", "I")),
        (rows("{word} {pos} {bio}").replace("B-PER", "PER-B").replace("B-LOC", "LOC-B"), maps("PER-B", "LOC-B")),
        ("-DOCSTART- -X- O\n\n" + rows("{word} {pos} {bio}"), {}),
    ],
)
def test_the_reader_reads_the_same_sentences_with_the_options_found(text, options, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8")
    layout = find_layout([str(path)])
    assert layout.options == options
    assert [(words, tags) for _, words, tags in ColumnFile(**layout.options).read_numbered(str(path))] == [ANNA, ANNA]


@pytest.mark.parametrize(
    "tags, scheme",
    [("B-PER I-PER O", "IOB2"), ("I-PER I-PER O", "IOB1"), ("B-PER E-PER S-LOC", "BIOES"), ("PER PER O", "IOB1")],
)
def test_the_scheme(tags, scheme, tmp_path):
    path = tmp_path / "a"
    path.write_text("".join(f"word {tag}\n" for tag in tags.split()))
    assert find_layout([str(path)]).scheme == scheme


@pytest.mark.parametrize("text", ["Paris LOC\nis O\n", "Paris LOC\nis O\n. O\n", "Paris LOC\n" + "is O\n" * 30])
def test_a_first_tag_of_another_spelling_is_no_title(text, tmp_path):
    path = tmp_path / "a"
    path.write_text(text)
    assert find_layout([str(path)]).options == {"tag_map": {"LOC": "I-LOC"}}


def test_tags_that_only_a_later_file_has_are_in_the_map(tmp_path):
    for name, tag in (("train", "per"), ("dev", "loc")):
        (tmp_path / name).write_text(f"He o\nsaw o\nAnna {tag}\n")
    paths = [str(tmp_path / name) for name in ("train", "dev")]
    assert find_layout(paths).options == {"tag_map": {"loc": "I-loc", "o": "O", "per": "I-per"}}


@pytest.mark.parametrize(
    "text, prefix",
    [
        ("#id 1\n#oslo\tO\nOslo\tB-LOC\n\n#id 2\n#\tO\nOslo\tB-LOC\n", "#id "),
        ("# id = 1\n# O\nOslo B-LOC\n\n# id = 2\n#oslo O\nOslo B-LOC\n", "# id = "),
    ],
)
def test_comments_beside_such_tokens(text, prefix, tmp_path):
    path = tmp_path / "a"
    path.write_text(text)
    layout = find_layout([str(path)])
    assert layout.options == {"comment_prefix": prefix}
    words = [words for _, words, _ in ColumnFile(**layout.options).read_numbered(str(path))]
    assert [sentence[1] for sentence in words] == ["Oslo", "Oslo"] and all(sentence[0][0] == "#" for sentence in words)


def test_tokens_that_look_like_comments_stay(tmp_path):
    path = tmp_path / "a"
    path.write_text("#\tO\n#1\tO\nOslo\tB-LOC\n")
    assert find_layout([str(path)]).options == {}


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("Anna\nflies\n", "none of its columns holds entity tags"),
        ("Anna NNP\nflies VBZ\n", "none of its columns holds entity tags"),
        ("Anna NNP B-NP\nflies VBZ B-VP\n", "none of its columns holds entity tags"),  # chunks
    ],
)
def test_a_file_without_tags_is_refused(text, message, tmp_path):
    path = tmp_path / "a"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=f"^{path}: .*{message}"):
        find_layout([str(path)])
