import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.documents import Document, Entity
from roseq_allennlp.data.formats import FORMATS, recognised

ANN = "T1\tPER 0 3\tAnn\nR1\tLives Arg1:T1 Arg2:T2\nT2\tLOC 13 18\tParis\n#1\tAnnotatorNotes T1\ta note\nA1\tOld T1\nE1\tX:T1\n*\tEquiv T1 T2\n"


@pytest.fixture
def brat(tmp_path):
    def brat(ann=ANN, text="Ann flies to Paris", name="doc"):
        directory = tmp_path / "brat"
        directory.mkdir(exist_ok=True)
        (directory / f"{name}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
        (directory / f"{name}.ann").write_bytes(ann if isinstance(ann, bytes) else ann.encode())
        return directory

    return brat


def test_text_bound_annotations(brat, read):
    directory = brat()
    (directory / "annotation.conf").write_text("[entities]\n")
    assert recognised(str(directory)) == "brat"
    (document,), counted = read("brat", directory)
    assert (document.text, counted) == ("Ann flies to Paris", "")
    assert document.entities == [Entity("PER", 0, 3), Entity("LOC", 13, 18)]
    assert document.where == str(directory / "doc.txt")


def test_directories_below_in_order_of_names(brat, read):
    directory = brat(name="b")
    brat("", "a", "a")
    (directory / "sub").mkdir()
    brat("", "c", "sub/c")
    assert [document.text for document in read("brat", directory)[0]] == ["a", "Ann flies to Paris", "c"]


@pytest.mark.parametrize(
    "text, spans, quotes",
    [
        ("One\r\nin Oslo", [(8, 12)], ["Oslo"]),  # as BRAT counts
        ("One\r\nin Oslo", [(7, 11)], ["Oslo"]),  # as a tool that turns line ends into one character
        ("\ufeffIn Oslo", [(4, 8)], ["Oslo"]),
        ("\ufeffIn Oslo", [(3, 7)], ["Oslo"]),
        ("\ufeffIn\r\nOslo", [(3, 7)], ["Oslo"]),
        ("😍 Oslo", [(2, 6)], ["Oslo"]),
        ("😍 Oslo", [(3, 7)], ["Oslo"]),  # as a browser counts
    ],
)
def test_offsets_that_the_quotes_tell(brat, read, text, spans, quotes):
    ann = "".join(
        f"T{i}\tLOC {s} {e}\t{quote}\r\n" for i, ((s, e), quote) in enumerate(zip(spans, quotes, strict=True))
    )
    (document,), _ = read("brat", brat(ann, text))
    assert [document.text[entity.start : entity.end] for entity in document.entities] == quotes


@pytest.mark.parametrize(
    "ann", ["T1\tLOC 0 8\tNew York\n", "T1\tLOC 0 8\tNew\nYork\n", "T1\tLOC 0 3;4 8\tNew York\n", "T1\tLOC 0 8\n"]
)
def test_a_span_that_goes_on_in_the_next_line(brat, read, ann):
    (document,), _ = read("brat", brat(ann + "A1\tX T1\n", "New\nYork"))
    assert document.entities == [Entity("LOC", 0, 8)]


@pytest.mark.parametrize(
    "ann, message",
    [
        ("T1\tPER 0 3;13 18\tAnn Paris\n", "line 1: the span is discontinuous (0 3;13 18), which tags cannot hold"),
        ("T1\tPER 13 18;0 3\tParis Ann\n", "line 1: the span is discontinuous"),
        ("\nT1\tPER 1 4\tAnn\n", "line 2: the text from 1 to 4 is 'nn ', but the annotation says 'Ann'"),
        ("T1\tPER 0 99\tAnn\n", "line 1: a span from 0 to 99 is empty or outside"),
        ("T1\tPER 3 3\t\n", "line 1: a span from 3 to 3"),
        ("T1\tPER 0\tAnn\n", "line 1: expected T1<TAB>TYPE START END<TAB>TEXT"),
        ("T1\tPER 0 x\tAnn\n", "line 1: expected T1<TAB>"),
        ("T1\tPER -1 3\tAnn\n", "line 1: expected T1<TAB>"),
        ("T1 PER 0 3 Ann\n", "line 1: 'T1 PER 0 3 Ann' is no annotation of BRAT"),
        ("0 3 PER\n", "line 1: '0 3 PER' is no annotation"),
        (b"T1\tPER 0 3\tAnn\n#1\t\xff\n", "line 2: byte 0xff is not UTF-8"),
    ],
)  # fmt: skip
def test_what_is_refused(brat, refused, ann, message):
    directory = brat(ann)
    error = refused("brat", directory)
    assert error.startswith(f"{directory / 'doc.ann'}, ") and message in error


def test_a_file_without_its_other(brat, refused):
    directory = brat()
    for missing, there in ((".ann", ".txt"), (".txt", ".ann")):
        (directory / f"doc{missing}").rename(directory / "away")
        assert refused("brat", directory).startswith(f"{directory / 'doc'}{there}: doc{missing} is missing beside it")
        (directory / "away").rename(directory / f"doc{missing}")
    brat("", b"a\nb\xff")
    assert "doc.txt, line 2: byte 0xff is not UTF-8" in refused("brat", directory)


def test_written_and_read_again(tmp_path, read):
    documents = [
        Document("In New\r\n\r\nYork 😍 Oslo", [Entity("LOC", 3, 14), Entity("geo-loc", 17, 21)]),
        Document("", []),
    ]
    FORMATS["brat"].write(iter(documents), str(tmp_path / "out" / "brat"))
    again, counted = read("brat", tmp_path / "out" / "brat")
    assert [(each.text, each.entities) for each in again] == [(each.text, each.entities) for each in documents]
    assert counted == ""
    assert (tmp_path / "out/brat/000001.ann").read_text().startswith("T1\tLOC 3 6;10 14\tNew York\n")
    assert "[entities]\nLOC\ngeo-loc\n[relations]" in (tmp_path / "out/brat/annotation.conf").read_text()


def test_what_cannot_be_written(tmp_path):
    write = FORMATS["brat"].write
    with pytest.raises(ConfigurationError, match="the type 'a b' has a space"):
        write([Document("x", [Entity("a b", 0, 1)])], str(tmp_path / "out"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ConfigurationError, match="the directory is not empty"):
        write([], str(tmp_path / "full"))
    with pytest.raises(ConfigurationError, match="cannot be made a directory"):
        write([], str(tmp_path / "full" / "file"))
    with pytest.raises(ConfigurationError, match="cannot go to standard output"):
        write([], "-")
