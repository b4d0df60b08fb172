import pytest
from allennlp.data import DatasetReader

from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.evaluation.corpus_statistics import split_statistics
from roseq_allennlp.evaluation.tagged_data import gold_tags, read_labelled

COUNTS = {  # sentences, tokens, entities of train, dev and test
    "conll2002-nl": [(15806, 202644, 13344), (2895, 37687, 2616), (5195, 68875, 3941)],
    # One entity more than `B-` tags: each file has an `I-` after no entity of its type, which starts one.
    "conll2002-es": [(8323, 264715, 18797 + 1), (1915, 52923, 4351 + 1), (1517, 51533, 3558 + 1)],
    "wnut16": [(2394, 46469, 1496), (1000, 16261, 661), (3850, 61908, 3473)],
    "wnut17": [(3394, 62730, 1975), (1009, 15733, 836), (1287, 23394, 1079)],
}
ENTITY_TOKENS = {"wnut16": [2462, 1128, 5955], "wnut17": [3160, 1250, 1740]}  # what Table II counts for them


def test_counts():
    statistics = split_statistics([["B-PER", "E-PER", "O", "S-a-b"], ["O"], []])
    assert statistics.sentences == 3
    assert statistics.tokens == {"PER": 2, "O": 2, "a-b": 1}
    assert statistics.entities == {"PER": 1, "a-b": 1}


def test_a_stray_i_starts_an_entity_as_in_conlleval():
    assert split_statistics([["O", "I-PER", "B-PER", "I-LOC"]]).entities == {"PER": 2, "LOC": 1}


def test_nothing():
    statistics = split_statistics([])
    assert (statistics.sentences, statistics.tokens.total(), statistics.entities.total()) == (0, 0, 0)


@pytest.mark.parametrize("name", COUNTS)
def test_table_ii(real_data, name):
    reader = DatasetReader.by_name(CORPORA[name].reader)()
    splits = [
        split_statistics(map(gold_tags, read_labelled(reader, f"corpus://{name}/{split}")))
        for split in CORPORA[name].files
    ]
    assert [(split.sentences, split.tokens.total(), split.entities.total()) for split in splits] == COUNTS[name]
    if name in ENTITY_TOKENS:
        assert [split.tokens.total() - split.tokens["O"] for split in splits] == ENTITY_TOKENS[name]
