import pytest

from roseq_allennlp.data import corpora

# shared-task counts: sentences, tokens, entities of train, dev and test; each Spanish file has one entity more than `B-` tags,
# an `I-` that follows nothing of its type.
KNOWN = {
    "conll2002-nl": (15806, 202644, 13344, 2895, 37687, 2616, 5195, 68875, 3941),
    "conll2002-es": (8323, 264715, 18798, 1915, 52923, 4352, 1517, 51533, 3559),
    "wnut16": (2394, 46469, 1496, 1000, 16261, 661, 3850, 61908, 3473),
    "wnut17": (3394, 62730, 1975, 1009, 15733, 836, 1287, 23394, 1079),
}


def rows(output):
    return {line.split()[0]: line for line in output.splitlines() if line.strip()}


def test_list(roseq):
    status, output, _ = roseq("corpora", "list")
    assert status == 0 and {*corpora.CORPORA, *corpora.VECTORS} <= rows(output).keys()
    assert " here " in rows(output)["wnut17"] and "to be downloaded" in rows(output)["fasttext-cc-nl"]


def test_list_says_what_needs_a_licence(roseq, monkeypatch, tmp_path):
    monkeypatch.setenv("ROSEQ_DATA", str(tmp_path))
    assert "put conll2003/eng.train, " in rows(roseq("corpora", "list", "conll2003-en").output)["conll2003-en"]


def test_the_fixtures_are_not_the_corpora(roseq):
    status, output, errors = roseq("corpora", "verify")
    assert status == 1 and "corpus://wnut17/train" in errors
    for path, line in rows(output).items():
        if path.startswith("corpus://"):
            known = "conll2003" not in path and "glove" not in path
            assert ("not here" if "fasttext" in path else "differs" if known else "no checksum known") in line


def test_verify_by_name(roseq, monkeypatch, tmp_path):
    monkeypatch.setenv("ROSEQ_DATA", str(tmp_path))
    assert roseq("corpora", "verify", "conll2003-en").status == 0


def test_verify_reads_copies_in_iso_8859_1(real_data, monkeypatch, tmp_path):
    """The shared task's own files are."""
    text = (real_data / "conll2002" / "ned.testa").read_text(encoding="utf-8")
    (tmp_path / "conll2002").mkdir()
    (tmp_path / "conll2002" / "ned.testa").write_bytes(text.encode("iso-8859-1"))
    monkeypatch.setenv("ROSEQ_DATA", str(tmp_path))
    assert corpora.verify("corpus://conll2002-nl/dev") == "ok in ISO-8859-1"
    assert corpora.verify("corpus://conll2002-nl/train") == "not here"


@pytest.mark.corpora
def test_the_real_corpora(roseq, real_data):
    status, output, _ = roseq("corpora", "verify", *KNOWN)
    assert status == 0 and output.count(" ok ") == 12
    status, output, _ = roseq("corpora", "stats", *KNOWN)
    table = rows(output[output.index("\nAll\n") :])
    for name, expected in KNOWN.items():
        assert tuple(map(int, table[name].split()[2:])) == expected
    # Section I: 90.48 % of the Dutch training tokens are O; the WNUT-2017 tokens here are not those of the paper.
    assert "183346  90.48" in output


def test_stats(roseq):
    status, output, _ = roseq("corpora", "stats")
    assert status == 0
    assert corpora.CORPORA.keys() <= rows(output[output.index("\nAll\n") :]).keys()
    assert output.count("tokens of each label") == len(corpora.CORPORA)


def test_fetch(roseq, monkeypatch, tmp_path):
    status, output, _ = roseq("corpora", "fetch")
    assert status == 0 and "fixtures/wnut17/wnut17train.conll" in output and "glove" not in output
    status, output, _ = roseq("corpora", "fetch", "glove-6b-100d")
    assert status == 0 and "corpus://glove-6b-100d/vectors.txt" in output
    monkeypatch.setenv("ROSEQ_DATA", str(tmp_path))
    status, _, errors = roseq("corpora", "fetch", "conll2003-en")
    assert status == 1 and "cannot be downloaded" in errors


@pytest.mark.parametrize(
    "arguments, message",
    [(["stats", "wnut18"], "'wnut18' is not in the catalogue"), (["stats", "glove-6b-100d"], "is word vectors")],
)
def test_errors(roseq, arguments, message):
    status, _, errors = roseq("corpora", *arguments)
    assert status == 1 and errors.splitlines()[-1].startswith("corpora: error: ") and message in errors
