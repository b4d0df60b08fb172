"""The corpora themselves, against published counts, where they are at hand."""

import logging
from pathlib import Path

import pytest
from allennlp.data import DatasetReader

from roseq_allennlp.data import corpora
from roseq_allennlp.data.tag_schemes import to_spans

COUNTS = {  # sentences, tokens, entities of train, dev and test
    "conll2002-nl": [(15806, 202644, 13344), (2895, 37687, 2616), (5195, 68875, 3941)],
    "conll2002-es": [(8323, 264715, 18797), (1915, 52923, 4351), (1517, 51533, 3558)],
    "wnut16": [(2394, 46469, 1496), (1000, 16261, 661), (3850, 61908, 3473)],
    "wnut17": [(3394, 62730, 1975), (1009, 15733, 836), (1287, 23394, 1079)],
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(real_data, caplog, name):
    caplog.set_level(logging.INFO, "roseq_allennlp")
    corpus = corpora.CORPORA[name]
    reader = DatasetReader.by_name(corpus.reader)(tag_scheme=None)
    # Each Spanish file has one `I` that follows no entity of its type. It is counted by `B` tags there, and the repair
    # makes that tag an entity.
    repaired = 1 if name == "conll2002-es" else 0
    for split, (sentences, tokens, entities) in zip(("train", "dev", "test"), COUNTS[name], strict=True):
        path = f"corpus://{name}/{split}"
        tags = [instance["tags"].labels for instance in reader.read(path)]
        spans = [span for sentence in tags for span in to_spans(sentence, "BIOUL")]
        assert (len(tags), sum(map(len, tags)), len(spans) - repaired) == (sentences, tokens, entities)
        assert {span.label for span in spans} == set(corpus.types)
        raw = Path(corpora.resolve(path)).read_bytes().split(b"\n")
        assert sum(line.split()[-1].startswith(b"B-") for line in raw if line.strip()) == entities
    assert sum("tags are read as IOB2" in message for message in caplog.messages) == 3
    assert sum("invalid IOB2 tags repaired: 1, " in message for message in caplog.messages) == 3 * repaired


def test_catalogue_has_the_checksums(real_data):
    lines = (real_data / "SHA256SUMS").read_text().splitlines()
    published = {path: sha256 for sha256, path in (line.split() for line in lines) if not path.startswith("glove")}
    sources = [source for corpus in corpora.CORPORA.values() for source in corpus.files.values()]
    assert {source.local[0]: source.sha256 for source in sources if source.sha256} == published


def test_local_vectors(real_data):
    with open(corpora.resolve("corpus://glove-6b-100d/vectors.txt"), encoding="utf-8") as file:
        assert len(next(file).split(" ")) == 101
        assert 1 + sum(1 for _ in file) == 36278
