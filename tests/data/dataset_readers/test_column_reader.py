import inspect
import logging

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import ensure_list
from allennlp.data import Batch, DatasetReader, Token, Vocabulary
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.data.dataset_readers.dataset_reader import WorkerInfo
from allennlp.data.token_indexers import SingleIdTokenIndexer

import roseq_allennlp.data  # noqa: F401

TWO = "Jan B-PER\nkomt O\n\nuit O\nDen B-LOC\nHaag I-LOC\n"
TWO_READ = [(["Jan", "komt"], ["U-PER", "O"]), (["uit", "Den", "Haag"], ["O", "B-LOC", "L-LOC"])]


def build(name="columns", **params):
    return DatasetReader.from_params(Params({"type": name, **params}))


@pytest.fixture
def write(tmp_path):
    def write(content, encoding="utf-8"):
        path = tmp_path / "file.conll"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def read(reader, path):
    return [(instance["metadata"]["words"], instance["tags"].labels) for instance in reader.read(str(path))]


def error(reader, path):
    with pytest.raises(ConfigurationError) as caught:
        ensure_list(reader.read(str(path)))
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        TWO,
        TWO.rstrip("\n"),
        TWO + "\n\n\n",
        "\n \n" + TWO,
        TWO.replace("\n", "\r\n"),
        "\ufeff" + TWO,
        TWO.replace("\n\n", "\n\t\n"),
        TWO.replace("\n\n", "\n \u00a0 \r\n"),
        TWO.replace(" ", "\t \t").replace("uit", "  uit"),
        "-DOCSTART- O\n\n" + TWO.replace("\n\n", "\n\n-DOCSTART- -DOCSTART- O\n\n"),
        TWO.replace("\n\n", "\n-DOCSTART-\n"),
    ],
)
def test_layouts_that_read_the_same(write, content):
    assert read(build(), write(content)) == TWO_READ


@pytest.mark.parametrize("token", ["a\u2028b", "a\x85b", "a\u00a0b", "a\x0bb", "a\x0cb", "\u00a0", "a" * 274, "👍🏽"])
def test_tokens_are_kept_whole(write, token):
    assert read(build(), write(f"nu O\n{token} O\n")) == [(["nu", token], ["O", "O"])]
    assert read(build(separator="\t"), write(f"nu\tO\n{token}\tO\n")) == [(["nu", token], ["O", "O"])]


def test_separator_and_columns(write):
    path = write("B-PER,Jan Pier,1\nO,zegt,2\n")
    assert read(build(separator=",", token_column=1, tag_column=0), path) == [(["Jan Pier", "zegt"], ["U-PER", "O"])]
    assert read(build(separator=",", token_column=-2, tag_column=-3), path)[0][0] == ["Jan Pier", "zegt"]


@pytest.mark.parametrize(
    "name, content, language",
    [
        ("conll2002", "Jan N B-PER\nen V O\nPier N B-PER\n", "xx"),
        ("conll2003_ner", "-DOCSTART- -X- -X- O\n\nJan N B-NP I-PER\nen C O O\nPier N I-NP I-PER\n", "en"),
        ("conll2003_ner", "-DOCSTART- -X- O O\n\nJan N I-NP B-PER\nen C O O\nPier N I-NP B-PER\n", "en"),
        ("wnut", "Jan\tB-PER\nen\tO\nPier\tB-PER\n\t\n", "en"),
    ],
)
def test_readers_of_the_corpora(write, name, content, language):
    reader = build(name)
    assert read(reader, write(content)) == [(["Jan", "en", "Pier"], ["U-PER", "O", "U-PER"])]
    assert reader.language == language
    reader = build(name, language="nl", max_instances=0, token_indexers={"words": {"type": "folded_words"}})
    assert (reader.language, reader.max_instances, list(reader._token_indexers)) == ("nl", 0, ["words"])


def test_sentences_of_wnut_end_with_a_tab_or_nothing(write):
    content = "a\tO\n\t\nb\tB-X\nc\tI-X\n\nd\tO\n\t\n"
    assert [words for words, _ in read(build("wnut"), write(content))] == [["a"], ["b", "c"], ["d"]]


@pytest.mark.parametrize("name, columns", [("conll2002", "N"), ("conll2003_ner", "N I-NP"), ("wnut", "Jan")])
def test_readers_of_the_corpora_need_all_their_columns(write, name, columns):
    assert "line 1: " in error(build(name), write(f"Jan {columns}\n"))


@pytest.mark.parametrize(
    "scheme, content, expected",
    [
        ("IOB1", "a I-X\nb I-X\nc B-X\nd O\n\ne I-X\n", [["B-X", "L-X", "U-X", "O"], ["U-X"]]),
        ("IOB2", "a B-X\nb I-X\nc B-X\nd O\n", [["B-X", "L-X", "U-X", "O"]]),
        ("BIOES", "a B-X\nb E-X\nc S-X\nd O\n", [["B-X", "L-X", "U-X", "O"]]),
    ],
)
def test_scheme_is_detected_logged_or_given(write, caplog, scheme, content, expected):
    path = write(content)
    with caplog.at_level(logging.INFO):
        assert [tags for _, tags in read(build(on_invalid_tags="error"), path)] == expected
    assert f"{path}: tags are read as {scheme}" in caplog.messages
    caplog.clear()
    assert [tags for _, tags in read(build(tag_scheme=scheme, on_invalid_tags="error"), path)] == expected
    assert not any("are read as" in message for message in caplog.messages)


def test_invalid_tags_are_repaired_with_one_warning(write, caplog):
    path = write("a B-X\nb I-Y\n\n" + "c I-X\nd B-X\n\n" * 6)
    assert read(build(tag_scheme="IOB2"), path)[0][1] == ["U-X", "U-Y"]
    (message,) = caplog.messages
    lines = [2, 4, 7, 10, 13]
    assert message.startswith(f"{path}: invalid IOB2 tags repaired: 7, at ")
    assert message.endswith("; ".join(f"line {line}: I-{'Y' if line == 2 else 'X'}" for line in lines))


def test_invalid_tags_are_an_error_where_asked(write):
    path = write("a B-X\nb I-X\n\nc O\nd I-X\n")
    message = error(build(tag_scheme="IOB2", on_invalid_tags="error"), path)
    assert message.startswith(f"{path}, line 5: I-X is not valid IOB2")


def test_one_stray_inside_tag_leaves_a_file_iob2(write, caplog):
    path = write("de O\nstad B-LOC\n\nla O\nsierra I-LOC\n\nel O\nmar B-LOC\nrojo I-LOC\n")
    caplog.set_level(logging.INFO, "roseq_allennlp")
    read(build(), path)
    assert [m for m in caplog.messages if "IOB2" in m] == [
        f"{path}: tags are read as IOB2",
        f"{path}: invalid IOB2 tags repaired: 1, at line 5: I-LOC",
    ]


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"a O\n\nb\n", "line 3: 1 columns in 'b', expected 2 as in line 1"),
        (b"a O\nb X-PER\n", "line 2: 'X-PER' is no tag"),
        (b"a O\nb\n", "line 2: 1 columns"),
        (b"a PER\n", "line 1: 'PER' is no tag"),
        (b"", "the file holds no sentence"),
        (b"\n\t\n-DOCSTART- O\n\n", "the file holds no sentence"),
    ],
)
def test_a_bad_file_gives_its_name_and_line(write, content, expected):
    path = write(content)
    message = error(build(), path)
    assert message.startswith(str(path)) and expected in message


def test_a_scheme_that_the_file_is_not_in(write):
    assert "line 2: 'S-PER' is no tag of IOB2" in error(build(tag_scheme="IOB2"), write("a O\nb S-PER\n"))


def test_an_empty_token_is_an_error(write):
    assert "line 2: the token in '\\tO' is empty" in error(build("wnut"), write("a\tO\n\tO\n"))


def test_missing_file_and_directory(tmp_path):
    assert "nowhere.conll: no such file" in error(build(), tmp_path / "nowhere.conll")
    assert f"{tmp_path}: expected a file, got a directory" in error(build(), tmp_path)


def test_a_bad_file_of_a_corpus_is_named_where_it_is(write, tmp_path, monkeypatch):
    monkeypatch.setenv("ROSEQ_DATA", str(tmp_path))
    (tmp_path / "wnut16").mkdir()
    path = write("a\tO\nb\n").rename(tmp_path / "wnut16" / "dev")
    assert error(build("wnut"), "corpus://wnut16/dev").startswith(f"{path}, line 2")


def test_latin_1_is_read_with_a_warning_naming_the_file(write, caplog):
    path = write("1 O\né\x81 B-PER\n", "iso-8859-1")
    assert read(build(tag_scheme="IOB2"), path) == [(["1", "é\x81"], ["O", "U-PER"])]
    assert caplog.messages == [f"{path}: line 2 is not UTF-8, the file is read as ISO-8859-1"]


def test_a_given_encoding_is_strict(write, caplog):
    assert read(build(encoding="cp1252"), write("€ O\n", "cp1252")) == [(["€"], ["O"])]
    assert read(build(encoding="utf-8-sig"), write("\ufeffé O\n")) == [(["é"], ["O"])]
    path = write("1 O\né O\n", "iso-8859-1")
    assert error(build(encoding="utf-8"), path).startswith(f"{path}, line 2: byte 0xe9 is not utf-8")


@pytest.mark.parametrize(
    "content, expected",
    [
        ("a NN O\nb O\nc NN O\n", "line 2: 2 columns in 'b O', expected 3 as in line 1."),
        ("a NN O\nb NN x O\n", "line 2: 4 columns in 'b NN x O', expected 3 as in line 1."),
        ("a b NN O\nc NN O\nd NN O\n", "line 1: 4 columns in 'a b NN O', expected 3 as in line 2."),
        ("a\tNN\tO\nb\tO\n", "line 2: 2 columns in 'b\\tO', expected 3 as in line 1."),
        ("a\tO\n\tO\n", "line 2: the token in '\\tO' is empty."),
        ("a\tO\n  \tO\n", "line 2: the token in '  \\tO' is empty."),
        ("a\tO\nb\t\n", "line 2: the tag is empty."),
        ("a\tO\nb O\n", "line 2: 1 columns in 'b O', expected 2 as in line 1."),
        ("a NN O\n NN O\n", "line 2: the token in ' NN O' is empty."),
        ("a NN O\n" * 150 + "\nb O\n", "line 152: 2 columns in 'b O', expected 3 as in line 1."),
        ("a O\n\n# x = O\nb O\n", "line 3: 4 columns in '# x = O', expected 2 as in line 1."),
        ("a DT x O\n\n# sent_id = O\nb NN x O\n", "line 3: '# sent_id = O' is a comment."),
        ("Paris b-LOC\n", "a prefix in lower case"),
        ("Paris B_LOC\n", 'a prefix without `-`, which `tag_map: {"B_LOC": "B-LOC"}` reads'),
        ("Paris B\u2013LOC\n", 'a prefix without `-`, which `tag_map: {"B\u2013LOC": "B-LOC"}` reads'),
        ("Paris LOC_B\n", 'a prefix after its type, which `tag_map: {"LOC_B": "B-LOC"}` reads'),
        ("Paris B\n", 'a prefix without a type, which `tag_map: {"B": "B-ENTITY"}` reads'),
        ("Paris B-LOC\nis o\n", 'an O of another spelling, which `tag_map: {"o": "O"}` reads'),
        ("Paris geo\n", 'a type without a prefix, which `tag_map: {"geo": "I-geo"}` reads'),
    ],
)
def test_a_bad_line_is_an_error_or_left_out(write, caplog, content, expected):
    path = write(content)
    message = error(build(), path)
    assert message.startswith(f"{path}, line ") and expected in message and "\n" not in message
    number = message.removeprefix(f"{path}, line ").partition(":")[0]
    left = [line.split()[0] for line in content.split("\n") if line.strip()]
    del left[int(number) - 1 - content.split("\n")[: int(number)].count("")]
    if not left:
        return
    assert [word for words, _ in read(build(on_bad_line="skip"), path) for word in words] == left
    (warning,) = caplog.messages
    assert warning.startswith(f"{path}: bad lines left out: 1, at line {number}: ")


def test_first_places_of_many_bad_lines(write, caplog):
    path = write("a O\n" + "b c O\n" * 9 + "d O\n" * 20)
    assert len(read(build(on_bad_line="skip"), path)[0][0]) == 21
    assert "bad lines left out: 9, at line 2: 3 columns" in caplog.text and caplog.text.count("3 columns") == 5


@pytest.mark.parametrize(
    "content, expected",
    [
        ("New York\tB-LOC\nis  here\tO\n", ["New York", "is  here"]),
        ("a\t\tO\nb\tx\tO\n", ["a", "b"]),
        ("a b\tO\n# c\tO\n", ["a b", "# c"]),
        ("a O\nb\tO\n c  O \n", ["a", "b", "c"]),  # the first line has no tab
        ("x\tO\n-DOCSTART-\tO\ny\tO\n", ["x", "-DOCSTART-", "y"]),
        ("-DOCSTART-\tO\n\nx\tO\n", ["x"]),
        ("-DOCSTART- -X- O O\nx NN O O\n-DOCSTART- -X- O\ny NN O O\n", ["x", "y"]),
        ("x NN O\n-DOCSTART- NN O\n", ["x", "-DOCSTART-"]),
    ],
)
def test_the_separator_is_that_of_the_first_lines(write, content, expected):
    assert [word for words, _ in read(build(), write(content)) for word in words] == expected


def test_comments_are_before_sentences_only(write):
    content = "# a = 1\n# b\n#Paris B-LOC\n\n# c\nx O\n#y O\n# O\n"
    assert read(build(comment_prefix="# "), write(content)) == [(["#Paris"], ["U-LOC"]), (["x", "#y", "#"], ["O"] * 3)]
    assert "2 columns" not in error(build(comment_prefix="#"), write("# a\n"))


@pytest.mark.parametrize("content", ["1,a,O\n1,b,O\n2,c,O\n", "1,a,O\n,b,O\n2,c,O\n", "1,a,O\n1,b,O\n,,\n1,c,O\n"])
def test_a_column_divides_sentences(write, content):
    reader = build(separator=",", token_column=1, sentence_column=0)
    assert [words for words, _ in read(reader, write(content))] == [["a", "b"], ["c"]]


@pytest.mark.parametrize("separator", [None, ",", ";", "\t"])
def test_quoted_cells(write, separator):
    rows = ['"a ""b"", c"', '","', '"\t"', "d", '"e"']
    path = write("".join(f"{row}{separator or ','}O\n" for row in rows if separator or row != '"\t"'))
    words = [
        word for words, _ in read(build(separator=separator, quoting="csv", on_bad_line="skip"), path) for word in words
    ]
    assert words == ['a "b", c', ",", "d", "e"]


def test_quotation_marks_that_nothing_closes(write):
    assert "line 2: '\"b,O' is not quoted as csv is" in error(build(quoting="csv"), write('a,O\n"b,O\nc",O\n'))
    assert '`quoting: "csv"` reads them' in error(build(separator=","), write('a,O\n"b",O\n'))


@pytest.mark.parametrize(
    "invisible", ["\u00a0", "\u200b", "\ufeff", "\u2060", "\u00ad", "\u200e", "\u3000", "\u3164", "\ufe0f"]
)
def test_invisible_characters_around_a_tag(write, caplog, invisible):
    path = write(f"a\tB-LOC{invisible}\nb\t{invisible}B-{invisible}LOC\nc\tO{invisible}\n")
    assert read(build(), path) == [(["a", "b", "c"], ["U-LOC", "U-LOC", "O"])]
    (message,) = caplog.messages
    assert "which are left out: 3, at line 1: " in message and invisible not in message.replace(" ", "")


def test_a_file_without_an_empty_line(write, caplog):
    assert [len(words) for words, _ in read(build(), write("a O\n" * 300))] == [300]
    (message,) = caplog.messages
    assert (
        "has no empty line, so it is read as one sentence of 300 tokens" in message and "`sentence_column`" in message
    )
    caplog.clear()
    read(build(), write("a O\n" * 300 + "\n"))
    read(build(), write("a O\n" * 20))
    assert not caplog.messages


@pytest.mark.parametrize(
    "params, expected",
    [
        ({"separator": ""}, "`separator`"),
        ({"separator": "\n"}, "`separator`"),
        ({"token_column": -1}, "must differ, got -1, -1"),
        ({"tag_scheme": "BIO"}, "one of IOB1, IOB2, BIOES, got 'BIO'"),
        ({"encoding": "utf-99"}, "got 'utf-99'"),
        ({"encoding": "hex"}, "got 'hex'"),
        ({"on_invalid_tags": "ignore"}, "got 'ignore'"),
        ({"on_bad_line": "warn"}, "got 'warn'"),
        ({"quoting": "all"}, "got 'all'"),
        ({"quoting": "csv", "separator": "ab"}, "one character, got 'csv' with 'ab'"),
        ({"sentence_column": 0}, "must differ, got 0, -1, 0"),
        ({"comment_prefix": " "}, "`comment_prefix`"),
        ({"tag_map": {"x": "X"}}, "`tag_map`: 'X' is no tag"),
        ({"tag_map": {"x": "E-X"}, "tag_scheme": "IOB2"}, "`tag_map`: 'E-X' is no tag of IOB2"),
        ({"max_length": 0}, "at least 1 token, got 0"),
    ],
)
def test_bad_parameters_are_refused_when_built(params, expected):
    with pytest.raises(ConfigurationError, match=expected):
        build(**params)


def pieces(write, tags, max_length):
    lines = "".join(f"{i} {tag}\n" for i, tag in enumerate(tags.split()))
    reader = build(tag_scheme="IOB2", max_length=max_length)
    return [(len(words), " ".join(labels)) for words, labels in read(reader, write(lines))]


@pytest.mark.parametrize(
    "tags, expected",
    [
        ("O O O", [(3, "O O O")]),
        ("O O O O O O O", [(3, "O O O"), (3, "O O O"), (1, "O")]),
        ("O O B-X I-X O", [(2, "O O"), (3, "B-X L-X O")]),
        ("O B-X I-X O", [(3, "O B-X L-X"), (1, "O")]),  # ends where the piece does
        ("O O B-X O", [(3, "O O U-X"), (1, "O")]),
        ("B-X I-X I-X B-X I-X", [(3, "B-X I-X L-X"), (2, "B-X L-X")]),
        ("O B-X I-X I-X I-X", [(1, "O"), (3, "B-X I-X L-X"), (1, "U-X")]),  # longer than the limit itself
    ],
)
def test_long_sentences_are_split_between_entities(write, caplog, tags, expected):
    assert pieces(write, tags, 3) == expected
    assert [message.partition(": ")[2] for message in caplog.messages] == (
        ["sentences split for more than 3 tokens: 1"] if len(expected) > 1 else []
    )


def test_a_long_sentence_is_kept_whole_without_a_limit(write):
    assert [size for size, _ in pieces(write, "O " * 1238, None)] == [1238]


def test_reading_is_a_stream(write):
    """The second sentence is bad, and the first is there before it is read."""
    reader = build(tag_scheme="IOB2", encoding="utf-8")
    instances = reader.read(str(write("a O\n\nb\n")))
    assert inspect.isgenerator(reader._read("unread"))
    assert next(iter(instances))["metadata"]["words"] == ["a"]


def sentences(write, count):
    return str(write("".join(f"{i} O\n\n" for i in range(count))))


@pytest.mark.parametrize("max_instances", [None, 6])
def test_workers_divide_the_sentences(write, max_instances):
    reader = build(max_instances=max_instances, token_indexers={"words": {"type": "folded_words"}})
    loader = MultiProcessDataLoader(
        reader, sentences(write, 11), batch_size=2, num_workers=2, start_method="fork", max_instances_in_memory=4
    )
    words = [int(instance["metadata"]["words"][0]) for instance in loader.iter_instances()]
    assert len(words) == len(set(words)) == (max_instances or 11)
    loader.index_with(Vocabulary.from_instances(reader.read(sentences(write, 11))))
    assert sum(len(batch["metadata"]) for batch in loader) == (max_instances or 11)


@pytest.mark.parametrize("workers", [0, 2])
def test_distributed_processes_divide_the_sentences(write, monkeypatch, workers):
    path = sentences(write, 11)
    monkeypatch.setattr("allennlp.common.util.is_distributed", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 3)
    seen = []
    for rank in range(3):
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        for worker in range(max(workers, 1)):
            reader = build()
            if workers:
                reader._set_worker_info(WorkerInfo(workers, worker))
            words = [int(instance["metadata"]["words"][0]) for instance in reader.read(path)]
            assert all(word % 3 == rank for word in words)
            seen += words
    assert sorted(seen) == list(range(11))


def test_indexers_are_applied_outside_workers_only(write):
    reader = build(token_indexers={"words": {"type": "single_id"}})
    path = str(write(TWO))
    assert all(set(instance["tokens"]._token_indexers) == {"words"} for instance in reader.read(path))
    reader._set_worker_info(WorkerInfo(1, 0))
    assert all(instance["tokens"]._token_indexers is None for instance in reader.read(path))


def test_text_to_instance():
    reader = build()
    instance = reader.text_to_instance(["Den", Token("Haag", idx=4), "ligt"])
    assert set(instance.fields) == {"tokens", "metadata"}
    assert instance["metadata"].metadata == {"words": ["Den", "Haag", "ligt"]}
    assert instance["tokens"].tokens[1].idx == 4
    for tags in (["B-LOC", "E-LOC", "S-X"], ["B-LOC", "L-LOC", "U-X"]):
        instance = reader.text_to_instance(["Den", "Haag", "ligt"], tags)
        assert instance["tags"].labels == ["B-LOC", "L-LOC", "U-X"]
    reader.apply_token_indexers(instance)
    assert isinstance(instance["tokens"].token_indexers["tokens"], SingleIdTokenIndexer)
    batch, vocab = Batch([instance]), Vocabulary.from_instances([instance])
    batch.index_instances(vocab)
    names = [vocab.get_token_from_index(i, "labels") for i in batch.as_tensor_dict()["tags"][0].tolist()]
    assert names == ["B-LOC", "L-LOC", "U-X"]


@pytest.mark.parametrize("tags", [["B-LOC", "I-LOC"], ["LOC", "O"], ["O"]])
def test_text_to_instance_refuses_other_tags(tags):
    with pytest.raises(ConfigurationError):
        build().text_to_instance(["Den", "Haag"], tags)


@pytest.mark.parametrize(
    "tags, expected",
    [
        ("B-X ? O", "U-X ? O"),
        ("B-X - O", "U-X ? O"),
        ("- - O", "? ? O"),
        ("? ? ?", "? ? ?"),
        ("? I-X O", "? U-X O"),  # read as IOB1
        ("B-X I-X ?", "B-X L-X ?"),
        ("B-X ? E-X", "B-X ? L-X"),
        ("S-X - O", "U-X ? O"),
    ],
)
@pytest.mark.parametrize("scheme", [None, "given"])
def test_unknown_tags(write, tags, expected, scheme):
    tags = tags.split()
    path = write("".join(f"{word}\t{tag}\n" for word, tag in zip(["-", "?", "b"], tags, strict=True)))
    scheme = scheme and ("BIOES" if {tag[0] for tag in tags} & set("SE") else "IOB1" if tags[1] == "I-X" else "IOB2")
    assert read(build(tag_scheme=scheme), path) == [(["-", "?", "b"], expected.split())]


def test_an_i_of_iob2_goes_on_from_an_unknown_tag(write):
    path = write("a ?\nb I-X\nc B-X\nd I-X\n")
    assert read(build(tag_scheme="IOB2", on_invalid_tags="error"), path) == [(list("abcd"), ["?", "L-X", "B-X", "L-X"])]


def test_a_dash_where_it_may_be_an_o(write, caplog):
    """Without an O in the file it is not decided, the O of a document's start apart."""
    path = write("-DOCSTART- O\n\na -\nb B-X\n")
    message = error(build(), path)
    assert message.startswith(f"{path}, line 3: '-' is no tag") and '`tag_map: {"-": "O"}`' in message
    assert "spaCy's unknown tag" in message
    assert error(build(tag_scheme="IOB2"), path).startswith(f"{path}, line 3: '-' is no tag")
    for tag in ("O", "?"):
        assert read(build(tag_map={"-": tag}), path) == [(["a", "b"], [tag, "U-X"])]
    path = write("a -\nb 0\n\nc B-X\n")  # an O by the tag map
    assert read(build(tag_map={"0": "O"}), path) == [(["a", "b"], ["?", "O"]), (["c"], ["U-X"])]
    path = write("a - O\nb ? B-X\nc O -\n")  # only the tag column counts
    assert read(build(), path) == [(["a", "b", "c"], ["O", "U-X", "?"])]


def test_how_many_tags_are_unknown_is_told(write, caplog):
    caplog.set_level(logging.INFO, "roseq_allennlp")
    path = write("a ?\nb B-X\n\nc ?\nd O\n")
    read(build(), path)
    assert f"{path}: tokens whose tag is unknown: 2 of 4" in caplog.messages
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    read(build(), write("a ?\nb B-X\n"))
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith(f"{path}: 1 of 2 tokens have an unknown tag and none is known to be O. ")


def test_text_to_instance_takes_unknown_tags():
    reader = build()
    for tags, bioul in (("B-X ? E-X", "B-X ? L-X"), ("? I-X ?", "? I-X ?"), ("? ? ?", "? ? ?")):
        assert reader.text_to_instance(list("abc"), tags.split())["metadata"]["tags"] == bioul.split()
    with pytest.raises(ConfigurationError, match="where B-X are not"):
        reader.text_to_instance(list("abc"), ["?", "B-X", "O"])


def test_cut_sentences_keep_unknown_tags(write):
    path = write("".join(f"{word} {tag}\n" for word, tag in zip("abcde", "? B-X I-X ? O".split(), strict=True)))
    assert read(build(max_length=2), path) == [
        (["a"], ["?"]),
        (["b", "c"], ["B-X", "L-X"]),
        (["d", "e"], ["?", "O"]),
    ]
