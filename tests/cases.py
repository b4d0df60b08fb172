"""
Small inputs of the kinds that people have, and what each must give. `python tests/cases.py [DIRECTORY]` reads the files of
these names in a directory, or else the contents below, and prints a line of verdict for each.
"""

import functools
import json
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Union

from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.modules.token_embedders.embedding import EmbeddingsTextFile

import roseq_allennlp  # registers the readers
from roseq_allennlp.data.documents import Tally
from roseq_allennlp.data.vectors import readable
from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.predictors.inputs import Layout, rows, tag_rows
from roseq_allennlp.predictors.ray_tagging import TaggingActor, parts


class Case(NamedTuple):
    file: str
    content: bytes
    give: Callable[[str], str]
    """What the program makes of the file at a path."""
    expected: Union[str, tuple[str, ...]]
    """All of it, or parts of an error, which must name the file too."""
    warning: str = ""
    """A part of the only warning; "" for none."""


def columns(reader: str = "columns", **parameters: Any) -> Callable[[str], str]:
    """Reads a column file: `Paris/U-LOC is/O | Rome/U-LOC`."""

    def give(path: str) -> str:
        instances = DatasetReader.by_name(reader)(**parameters).read(path)  # type: ignore[call-arg]
        sentences = [zip(each["metadata"]["words"], each["tags"].labels, strict=True) for each in instances]  # type: ignore
        return " | ".join(" ".join(f"{word}/{tag}" for word, tag in sentence) for sentence in sentences)

    return give


def vectors(path: str) -> str:
    """The words of a file of vectors that training with it sees."""
    with EmbeddingsTextFile(readable(path)) as lines:
        return " ".join(line.split(" ")[0] for line in lines)


@functools.cache
def tagger() -> NerTagger:
    return roseq_allennlp.load(ARCHIVE)


def predicted(path: str) -> str:
    """
    The answers of `roseq predict`, `Marta/B-person Keller/E-person | hello/O`; of many rows only those that are not like the
    others. Those of `roseq predict-ray` to JSON lines must be the same.
    """
    answers = [answer for _, answer in tag_rows(tagger(), rows(path, path, None, Layout(), Tally()))]
    if path.endswith(".jsonl"):
        actor = TaggingActor(str(ARCHIVE), "jsonl", "jsonl").tagged
        lines = [line for part in parts([path], 10**6) for line in actor(part.table())["json"].to_pylist()]
        for number, (answer, row) in enumerate(zip(answers, map(json.loads, lines), strict=True), 1):
            if [answer.get(key) for key in ("words", "tags", "error")] != [
                row.get(key) for key in ("words", "tags", "error")
            ]:
                return f"row {number}: {answer}, by predict-ray {row}"
    shown = [
        answer.get("error")
        or " ".join(f"{word}/{tag}" for word, tag in zip(answer["words"], answer["tags"], strict=True))
        for answer in answers
    ]
    odd = [text for text, answer in zip(shown, answers, strict=True) if "error" in answer or not text.isascii()]
    return " | ".join(shown if len(shown) < 10 else [f"{len(shown)} rows", *odd])


ARCHIVE = Path(__file__).parents[1] / "fixtures" / "archive" / "model.tar.gz"
HALF = "has half a character, \\ud83d, without its other half"
ROWS = [f'{{"sentence": "at Oslo {number}", "id": {number}}}\n'.encode() for number in range(600)]
ROWS += [b'{"sentence": "Z\xfcrich"}\n', *(f'{{"sentence": "at Porto {number}"}}\n'.encode() for number in range(5))]
NUMBERED = {"comment_prefix": "#", "token_column": 1, "tag_column": 2}
GERMEVAL = (
    b"#\thttp://example.org/a\t[2009-10-17]\n1\tMay\tB-PER\tO\n2\tkam\tO\tO\n3\tnach\tO\tO\n4\tBonn\tB-LOC\tO\n\n"
)
MULTICONER = b"# id 7f-01\tdomain=en\nbonn _ _ B-LOC\n\n"
UNER = b"# sent_id = 1\n# text = Bonn is here\n1\tBonn\tB-LOC\t-\tann\n2\tis\tO\t-\tann\n\n"
KAGGLE = b"Sentence: 1,Thousands,NNS,O\n,of,IN,O\nSentence: 2,Paris,NNP,B-geo\n"
QUOTED = b'Thousands,NNS,O\n",",",",O\nParis,NNP,B-geo\n'
B12 = b"# text = Take vitamin B-12\nTake\tO\nvitamin\tB-DRUG\nB-12\tI-DRUG\n\n"
WORDS = b"oslo 0.1 0.2 0.3\nvisit 0.2 0.1 0.4\nwe 0.3 0.3 0.1\nlikes 0.5 0.1 0.1\n"
CASES = [
    Case(
        "a1_space_in_token_tab.txt",
        b"Anna\tB-PER\nmoved\tO\nto\tO\nNew York\tB-LOC\n.\tO\n\n",
        columns(),
        "Anna/U-PER moved/O to/O New York/U-LOC ./O",
    ),
    Case(
        "a2_space_in_token_conll4.txt",
        b"Last Name _ O B-PER\nruns _ O O\n\n",
        columns("conll2003_ner"),
        ("line 1: 5 columns", "expected 4 as in line 2"),
    ),
    Case(
        "a3_labelstudio_empty_token.txt",
        b"-DOCSTART- -X- O\nPink -X- _ B-DRUG\n -X- _ O\nBears -X- _ I-DRUG\n\n",
        columns(),
        ("line 3: the token", "is empty"),
    ),
    Case(
        "a4_missing_tag_4col.txt",
        b"Rome NNP B-NP B-LOC\nwelcomes VBZ B-VP\nDutch JJ B-NP B-MISC\n\n",
        columns(),
        ("line 2: 3 columns", "expected 4 as in line 1"),
    ),
    Case("a6_extra_col.txt", b"Paris B-LOC O\nis O\n\n", columns(), ("line 2: 2 columns", "expected 3 as in line 1")),
    Case(
        "a9_tag_trailing_nbsp.txt",
        "Paris\tB-LOC\u00a0\nRome\tB-LOC\nOslo\tB-LOC\u200b\n\n".encode(),
        columns(),
        "Paris/U-LOC Rome/U-LOC Oslo/U-LOC",
        "invisible characters around them, which are left out: 2, at line 1: 'B-LOC\\xa0'",
    ),
    Case("b1_comment_b12.txt", B12, columns(), ("line 1: ", "`comment_prefix")),
    Case("b1_comment_b12.txt", B12, columns(comment_prefix="#"), "Take/O vitamin/B-DRUG B-12/L-DRUG"),
    Case("b2_comment_O.txt", b"# sent_id = O\nTake O\n\n", columns(), ("line 1: ", "`comment_prefix")),
    Case("b2_comment_O.txt", b"# sent_id = O\nTake O\n\n", columns(comment_prefix="#"), "Take/O"),
    Case(
        "b4_hash_token.txt",
        b"#\tO\n#1\tO\n-DOCSTART-\tO\n\"\tO\n'\tO\n\n",
        columns(),
        "#/O #1/O -DOCSTART-/O \"/O '/O",
    ),
    Case(
        "c1_lower_prefix.txt",
        b"Paris b-loc\n\n",
        columns(),
        ("line 1: 'b-loc'", "lower case", '`tag_map: {"b-loc": "B-loc"}`'),
    ),
    Case("c1_lower_prefix.txt", b"Paris b-loc\n\n", columns(tag_map={"b-loc": "B-LOC"}), "Paris/U-LOC"),
    Case(
        "c10_suffix.txt",
        b"Paris LOC-B\n\n",
        columns(),
        ("line 1: 'LOC-B'", "after its type", '`tag_map: {"LOC-B": "B-LOC"}`'),
    ),
    Case(
        "c6_plain.txt",
        b"Paris LOC\nis O\n\n",
        columns(),
        ("line 1: 'LOC'", "without a prefix", '`tag_map: {"LOC": "I-LOC"}`'),
    ),
    Case(
        "c3_bmes.txt",
        "北 B-LOC\n京 M-LOC\n市 E-LOC\n我 S-PER\n\n".encode(),
        columns(),
        "北/B-LOC 京/I-LOC 市/L-LOC 我/U-PER",
    ),
    Case("c12_IO.txt", b"Anna I-PER\nLee I-PER\nis O\n\n", columns(), "Anna/B-PER Lee/L-PER is/O"),
    Case("d1_cr_only.txt", b"Paris B-LOC\ris O\r\rRome B-LOC\r\r", columns(), "Paris/U-LOC is/O | Rome/U-LOC"),
    Case("d2_utf16.txt", "Paris B-LOC\nis O\n\n".encode("utf-16"), columns(), "Paris/U-LOC is/O"),
    Case(
        "d3_bom_mid.txt",
        "\ufeffParis B-LOC\n\n\ufeffRome B-LOC\n\n".encode(),
        columns(),
        "Paris/U-LOC | Rome/U-LOC",
    ),
    Case(
        "d9_kaggle_noheader.csv",
        KAGGLE,
        columns(separator=",", token_column=1, sentence_column=0),
        "Thousands/O of/O | Paris/U-geo",
    ),
    Case("d10_csvquote.csv", QUOTED, columns(separator=","), ("line 2: ", '`quoting: "csv"`')),
    Case("d10_csvquote.csv", QUOTED, columns(quoting="csv"), "Thousands/O ,/O Paris/U-geo"),
    Case(
        "e1_zwj.txt",
        "👨\u200d👩\u200d👧\tO\n\u200b\tO\n\u2060\tO\n\u00a0\tO\n\u3000\tO\n\n".encode(),
        columns(),
        "👨\u200d👩\u200d👧/O \u200b/O \u2060/O \u00a0/O \u3000/O",
    ),
    Case("e2_pad.txt", b"a\tO\n@@PADDING@@\tO\n@@UNKNOWN@@\tO\n\n", columns(), "a/O @@PADDING@@/O @@UNKNOWN@@/O"),
    Case("f1_germeval.tsv", GERMEVAL, columns(**{**NUMBERED, "comment_prefix": None}), ("line 1: ", "`comment_prefix")),
    Case("f1_germeval.tsv", GERMEVAL, columns(**NUMBERED), "May/U-PER kam/O nach/O Bonn/U-LOC"),
    Case("f2_multiconer.conll", MULTICONER, columns(), ("line 1: ", "`comment_prefix")),
    Case("f2_multiconer.conll", MULTICONER, columns(comment_prefix="#"), "bonn/U-LOC"),
    Case("f3_uner.iob2", UNER, columns(**{**NUMBERED, "comment_prefix": None}), ("line 1: ", "`comment_prefix")),
    Case("f3_uner.iob2", UNER, columns(**NUMBERED), "Bonn/U-LOC is/O"),
    Case(
        "f6_cp1252.txt",
        "“Paris” O\n€5 O\nZürich B-LOC\n\n".replace(" ", "\t").encode("cp1252"),
        columns(),
        "“Paris”/O €5/O Zürich/U-LOC",
        "line 1 is not UTF-8, the file is read as cp1252",
    ),
    Case(
        "p3_plain.txt",
        b"Marta Keller flies to Oslo\nhello\n",
        predicted,
        "Marta/B-person Keller/E-person flies/O to/O Oslo/S-location | hello/O",
    ),
    Case(
        "p8_tokens_only.txt",
        b"Marta\nKeller\nflies\n\nOslo\n",
        predicted,
        "Marta/B-person Keller/E-person flies/O | Oslo/S-location",
    ),
    Case(
        "p10_surrogate.jsonl",
        b'{"tokens": ["at", "Oslo"], "id": 1}\n{"tokens": ["at", "\\ud83d", "Oslo"], "id": 2}\n'
        b'{"sentence": "cut emoji \\ud83d", "id": 3}\n',
        predicted,
        f"at/O Oslo/S-location | `tokens` {HALF} | `sentence` {HALF}",
    ),
    Case("p13_one_bad_byte.jsonl", b"".join(ROWS), predicted, "606 rows | Zürich/S-person"),
    Case(
        "p12_bom.jsonl",
        b'\xef\xbb\xbf{"sentence": "at Oslo", "id": 1}\n{"sentence": "Porto", "id": 2}\n',
        predicted,
        "at/O Oslo/S-location | Porto/S-location",
    ),
    Case("v3_latin1.txt", WORDS + "zürich 0.1 0.2 0.3\n".encode("latin-1"), vectors, ("line 5: byte 0xfc", "Recode")),
    Case("v5_bom_header.txt", b"\xef\xbb\xbf4 3\n" + WORDS, vectors, "oslo visit we likes"),
    Case("v6_tabs.txt", WORDS.replace(b" ", b"\t"), vectors, "oslo visit we likes"),
    Case(
        "v11_bin.bin",
        b"4 3\noslo \x00\x00\x80?\x00\x00\x80?\x00\x00\x80?\n",
        vectors,
        ("is binary, as word2vec writes it", "gensim"),
    ),
]


def verdict(case: Case, path: Path) -> tuple[bool, str]:
    """Whether the case holds for a file, and what it gave."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("roseq_allennlp")
    logger.addHandler(handler)
    try:
        given = case.give(str(path))
        holds = given == case.expected
    except ConfigurationError as error:
        given = f"error: {error.message}"
        parts = case.expected if isinstance(case.expected, tuple) else ("an error is",)
        holds = str(path) in given and "\n" not in given and all(part in given for part in parts)
    finally:
        logger.removeHandler(handler)
    warned = len(messages) == bool(case.warning) and all(case.warning in message for message in messages)
    return holds and warned, "; ".join([given, *(f"warning: {message}" for message in messages)])


def written(case: Case, directory: Path) -> Path:
    path = directory / case.file
    path.write_bytes(case.content)
    return path


def main() -> None:
    logging.getLogger("roseq_allennlp").propagate = False
    wrong = 0
    with tempfile.TemporaryDirectory() as directory:
        for case in CASES:
            path = Path(sys.argv[1], case.file) if len(sys.argv) > 1 else written(case, Path(directory))
            holds, given = verdict(case, path)
            wrong += not holds
            print("ok   " if holds else "WRONG", case.file, given.replace(f"{path.parent}/", ""))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
