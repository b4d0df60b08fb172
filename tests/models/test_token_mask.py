"""Words that have the id of padding are words: in training, evaluation and tagging, with every kind of indexer."""

import json

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.data import Batch, Instance, Token, Vocabulary
from allennlp.data.fields import TextField
from allennlp.nn.util import get_text_field_mask
from allennlp.predictors import Predictor

from roseq_allennlp.data.dataset_readers import ColumnReader
from roseq_allennlp.models.token_mask import token_mask
from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.predictors.sentences import Sentence

PADDING, UNKNOWN = "@@PADDING@@", "@@UNKNOWN@@"
COLUMNS = f"Marta B-person\n{PADDING} I-person\n\n{PADDING} O\n\n{UNKNOWN} O\n{PADDING} O\n\nin O\nOslo B-location\n"
SENTENCES = [["Marta", PADDING], [PADDING], [UNKNOWN, PADDING], ["in", "Oslo"]]

WORDS = {"tokens": {"type": "single_id"}}
INDEXERS = {
    "single_id": (WORDS, {"tokens": {"type": "embedding", "embedding_dim": 6}}),
    "padding_index": (WORDS, {"tokens": {"type": "embedding", "embedding_dim": 6, "padding_index": 0}}),
    "lowercase": (
        {"tokens": {"type": "single_id", "lowercase_tokens": True}},
        {"tokens": {"type": "embedding", "embedding_dim": 6}},
    ),
    "folded_words": ({"tokens": "folded_words"}, {"tokens": {"type": "embedding", "embedding_dim": 6}}),
    "shape": (
        {"tokens": "orthographic"},
        {"tokens": {"type": "embedding", "embedding_dim": 6, "vocab_namespace": "orthographic"}},
    ),
    "char_cnn": (
        {"tokens": {"type": "characters", "min_padding_length": 4}},
        {"tokens": {"type": "char_cnn_highway", "embedding_dim": 3, "num_filters": 2}},
    ),
    "char_shapes": (
        {"tokens": {"type": "orthographic_characters", "include_characters": True}},
        {"tokens": {"type": "char_cnn_highway", "embedding_dim": 3, "num_filters": 2, "orthographic_dim": 3}},
    ),
    "allennlp_cnn": (
        {"tokens": {"type": "characters", "min_padding_length": 4}},
        {
            "tokens": {
                "type": "character_encoding",
                "embedding": {"embedding_dim": 3, "vocab_namespace": "token_characters"},
                "encoder": {"type": "cnn", "embedding_dim": 3, "num_filters": 2, "ngram_filter_sizes": [2, 3, 4]},
            }
        },
    ),
}


def config(data, indexers, embedders, loader, model="label_aware_crf_tagger", adversarial=True):
    tagger = {
        "type": "label_aware_crf_tagger",
        "text_field_embedder": {"token_embedders": embedders},
        "encoder": {"type": "bidirectional_lstm", "input_size": 6, "hidden_size": 4},
        "gamma": 2.0,
    }
    return {
        "dataset_reader": {"type": "columns", "token_indexers": indexers},
        "train_data_path": str(data),
        "validation_data_path": str(data),
        "data_loader": {"type": loader, "batch_size": 4},
        "model": tagger if model == tagger["type"] else {"type": model, "size": 2, "member": tagger},
        "trainer": {
            "num_epochs": 1,
            "optimizer": "adam",
            "callbacks": [{"type": "adversarial", "epsilon": 1.0}] if adversarial else [],
            "validation_metric": "+f1-measure-overall",
        },
    }


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "pad.conll"
    path.write_text(COLUMNS, encoding="utf-8")
    return path


def check(serialization_dir):
    """The trained archive tags each word, by the table of words and by instances, alone and among longer sentences."""
    tagger = Predictor.from_path(serialization_dir)
    assert isinstance(tagger, NerTagger) and tagger._word_table is not None
    answers = list(tagger.tag_many(SENTENCES))
    by_instances = tagger._tag_sentences(
        [Sentence(words) for words in SENTENCES],
        [tagger._dataset_reader.text_to_instance(words) for words in SENTENCES],
    )
    for words, answer, other in zip(SENTENCES, answers, by_instances, strict=True):
        assert answer["words"] == words and len(answer["tags"]) == len(words)
        assert answer["tags"] == other["tags"] == tagger.tag_tokens(words)["tags"]


@pytest.mark.parametrize("name", INDEXERS)
def test_trained_evaluated_and_tagged_with_each_indexer(name, data, tmp_path):
    params = config(data, *INDEXERS[name], "in_memory")
    train_model(Params(params), str(tmp_path / "run"), force=True)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["validation_loss"] > 0
    check(tmp_path / "run" / "model.tar.gz")


@pytest.mark.parametrize(
    "loader, model", [("multiprocess", "label_aware_crf_tagger"), ("in_memory", "tagger_ensemble")]
)
def test_loaders_and_ensembles(loader, model, data, tmp_path):
    params = config(data, *INDEXERS["padding_index"], loader, model)
    train_model(Params(params), str(tmp_path / "run"), force=True)
    check(tmp_path / "run" / "model.tar.gz")


@pytest.mark.parametrize("words", [["Oslo", PADDING], [PADDING], [PADDING, UNKNOWN, "Oslo", PADDING, PADDING]])
def test_an_archive_tags_them(tagger, words):
    answer = tagger.tag_tokens(words)
    assert answer["words"] == words and len(answer["tags"]) == len(words)


def tensors(*sentences, padding=0, tokens=WORDS):
    reader = ColumnReader.from_params(Params({"token_indexers": tokens}))
    instances = [reader.text_to_instance(words) for words in sentences]
    for instance in instances:
        reader.apply_token_indexers(instance)
    batch = Batch(instances)
    batch.index_instances(Vocabulary.from_instances(instances))
    result = batch.as_tensor_dict({"tokens": {"tokens___tokens": padding}} if padding else None)
    return result["tokens"], result["metadata"]


def test_lengths_are_those_of_the_words():
    tokens, metadata = tensors(["a", PADDING], [PADDING], ["a", "b", "c", PADDING])
    mask = token_mask(tokens, metadata)
    assert mask.dtype == torch.bool and mask.sum(dim=1).tolist() == [2, 1, 4]
    assert not torch.equal(mask, get_text_field_mask(tokens))


def test_where_no_word_has_the_id_of_padding_it_is_allennlp_s():
    tokens, metadata = tensors(["a", "b"], ["c"], ["a", "b", "c", UNKNOWN])
    for given in (metadata, None, ["text", 3, None], [{"id": 3}] * 3):
        assert torch.equal(token_mask(tokens, given), get_text_field_mask(tokens))


def test_without_words_the_ids_of_all_indexers_tell():
    tokens, _ = tensors([PADDING, "b"], [PADDING, PADDING, "c", PADDING], [PADDING])
    assert token_mask(tokens).sum(dim=1).tolist() == [2, 3, 1]
    both, _ = tensors(["b", PADDING], [PADDING], tokens={**WORDS, "characters": {"type": "characters"}})
    assert token_mask(both).sum(dim=1).tolist() == [2, 1]


def test_an_indexer_s_own_mask_is_taken():
    mask = torch.tensor([[True, True, False], [True, False, False]])
    tokens = {"words": {"token_ids": torch.ones(2, 9, dtype=torch.long), "mask": mask.long()}}
    assert torch.equal(token_mask(tokens, [{"words": ["a", "b"]}, {"words": ["a"]}]), mask)


@pytest.mark.parametrize("counts", [(2, 2), (1, 1), (2, 4), (0, 1)])
def test_words_that_are_not_the_tokens(counts):
    tokens, _ = tensors(["a", "b"], ["a", "b", "c"])
    with pytest.raises(ValueError, match=r"metadata of a batch has \[\d, \d\] `words`.*3 at most"):
        token_mask(tokens, [{"words": ["x"] * count} for count in counts])


class Bare(ColumnReader):
    """Gives no metadata, and tells nobody."""

    def text_to_instance(self, tokens, tags=None):
        return Instance({"tokens": TextField([Token(word) for word in tokens])})


def test_a_reader_without_metadata(tagger):
    bare = NerTagger(tagger._model, Bare(token_indexers=tagger._dataset_reader._token_indexers))
    assert bare._word_table is None
    for words in SENTENCES:
        assert len(bare.tag_tokens(words)["tags"]) == len(words)


@pytest.mark.parametrize("given", [True, False])
def test_no_step_needs_the_values(given):
    tokens, metadata = tensors(["a", PADDING], ["b"])
    on_meta = {name: {key: ids.to("meta") for key, ids in part.items()} for name, part in tokens.items()}
    assert token_mask(on_meta, metadata if given else None).shape == (2, 2)
