"""Features of words that are kept, against the same tagger without."""

import copy
import random
import threading

import pytest
import torch
from allennlp.common import Params
from allennlp.models import Model

from roseq_allennlp.models import LabelAwareCrfTagger
from roseq_allennlp.models.tagger import EMBEDDED
from roseq_allennlp.predictors import NerTagger, word_features
from roseq_allennlp.predictors.sentences import Sentence
from roseq_allennlp.predictors.uncertainty import unsure
from roseq_allennlp.predictors.word_features import WordFeatures


@pytest.fixture
def pair(tagger):
    """A tagger that keeps features, and the same one without."""
    return twice(copy.deepcopy(tagger._model), tagger)


def twice(model: Model, tagger: NerTagger, **options) -> tuple[NerTagger, NerTagger]:
    model.eval()
    kept, plain = (NerTagger(model, tagger._dataset_reader, **options) for _ in range(2))
    assert kept._word_features is not None
    plain._word_features = None
    return kept, plain


@pytest.fixture(scope="module")
def sentences(tagger) -> list[list[str]]:
    """The words of few sentences in all orders: of one word up, and some that the vocabulary lacks."""
    generator = random.Random(5)
    words = [
        "Marta",
        "Keller",
        "flies",
        "to",
        "Oslo",
        "!",
        "Unseenword",
        "ß" * 70,
        "Nordlight",
        "Labs",
        "\u200b",
        "日本",
    ]
    return [generator.choices(words, k=generator.choice([1, 1, 2, 3, 5, 9, 40])) for _ in range(150)]


@pytest.mark.parametrize("max_words", [None, 12, 5, 1])
@pytest.mark.parametrize("options", [{}, {"bfloat16": True}])
def test_the_numbers_are_those_without(pair, tagger, sentences, max_words, options):
    kept, plain = twice(pair[0]._model, tagger, **options)
    kept._word_features = WordFeatures(kept._model, kept._word_table, max_words)
    alone = [kept.tag_tokens(words) for words in sentences]
    assert alone == [plain.tag_tokens(words) for words in sentences]
    assert sum(len(answer["entities"]) for answer in alone) > 100
    for _ in range(2):
        assert list(kept.tag_many(sentences)) == list(plain.tag_many(sentences))
    assert kept.score(sentences[0], [("person", 0, 1)]) == plain.score(sentences[0], [("person", 0, 1)])
    assert kept._word_features.num_hits > 0


def test_padding_is_zero_whatever_was_in_memory(pair, monkeypatch):
    empty = torch.empty

    def used_before(*size, **options):
        tensor = empty(*size, **options)
        return tensor.fill_(float("nan")) if tensor.is_floating_point() else tensor

    monkeypatch.setattr(torch, "empty", used_before)
    tokens = pair[0]._word_features.tensors([["Marta", "Keller", "flies"], ["Oslo"]])[EMBEDDED]
    assert tokens["mask"].sum() == 4 and (tokens["vectors"][1, 1:] == 0).all() and tokens["vectors"].isfinite().all()


def test_an_ensemble(tagger, sentences):
    torch.manual_seed(0)
    config = Params.from_file("training_configs/fixture.jsonnet")["model"].as_dict()
    config.pop("initializer", None)
    config["text_field_embedder"]["token_embedders"]["tokens"].pop("pretrained_file", None)
    del config["tau"]
    vocab = tagger._model.vocab
    model = Model.from_params(Params({"type": "tagger_ensemble", "size": 3, "member": config}), vocab=vocab)
    kept, plain = twice(model, tagger)
    assert list(kept.tag_many(sentences)) == list(plain.tag_many(sentences))
    few = [Sentence(words) for words in sentences[:20]]
    assert list(unsure(kept, few, "disagreement")) == list(unsure(plain, few, "disagreement"))
    vectors = kept._word_features.tensors([["Oslo"]])[EMBEDDED]["vectors"]
    assert vectors.shape == (1, 1, 3 * model.members[0].embedders[0].get_output_dim())


def test_the_words_met_longest_ago_go(pair):
    kept, _ = pair
    features = WordFeatures(kept._model, kept._word_table, max_words=3)
    hits = []
    for words in (["a"], ["b"], ["c"], ["a"], ["d"], ["a"], ["c"], ["b"], ["d"], ["b", "a", "b"]):
        before = features.num_hits
        features.tensors([words])
        hits.append(features.num_hits - before)
    assert hits == [0, 0, 0, 1, 0, 1, 1, 0, 0, 2]  # b went for d, d for b, a for d, c for a
    assert features.num_tokens == 12 and set(features._rows) == {"a", "b", "d"}
    assert features._num_characters == 3
    assert features.tensors([["a", "b"], ["c", "d"]]) is None  # more than are kept


def test_padding_is_zero(pair):
    tokens = pair[0]._word_features.tensors([["Oslo"], ["Oslo", "flies"]])[EMBEDDED]
    assert tokens["mask"].tolist() == [[True, False], [True, True]]
    assert not tokens["vectors"][0, 1].any() and torch.equal(tokens["vectors"][0, 0], tokens["vectors"][1, 0])


@pytest.mark.parametrize("change", ["in place", "another tensor"])
def test_other_weights_give_other_features(pair, sentences, change):
    kept, plain = pair
    before = list(kept.tag_many(sentences))
    for module in kept._model.modules():
        if isinstance(module, torch.nn.Conv1d):
            if change == "in place":
                with torch.no_grad():
                    module.weight.mul_(-1)
            else:
                module.weight = torch.nn.Parameter(-module.weight.detach())
    assert list(kept.tag_many(sentences)) == list(plain.tag_many(sentences)) != before


def test_long_words_do_not_fill_the_memory(pair, monkeypatch):
    monkeypatch.setattr(word_features, "_MAX_CHARACTERS", 1000)
    features = pair[0]._word_features
    for number in range(50):
        features.tensors([[f"{number}" * 400]])
        assert features._num_characters == sum(map(len, features._rows)) < 2000


def test_threads_get_their_own_words(pair, sentences):
    kept, plain = pair
    kept._word_features = WordFeatures(kept._model, kept._word_table, max_words=12)
    expected = [plain.tag_tokens(words) for words in sentences]
    answers: list[list] = [[] for _ in range(4)]

    def tag(number: int) -> None:
        answers[number] = [kept.tag_tokens(words) for words in sentences]

    threads = [threading.Thread(target=tag, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(given == expected for given in answers)


class Subclass(LabelAwareCrfTagger):
    """May look at the ids."""


def test_where_nothing_is_kept(tagger):
    reader = tagger._dataset_reader
    model = copy.deepcopy(tagger._model)
    model.train()
    assert word_features.word_features(model, tagger._word_table).tensors([["Oslo"]]) is None
    assert word_features.word_features(model, None) is None
    model.__class__ = Subclass
    assert NerTagger(model, reader)._word_features is None
    model = copy.deepcopy(tagger._model)
    model._text_field_embedder.token_embedder_tokens.__class__ = type("Other", (torch.nn.Embedding,), {})
    assert NerTagger(model, reader)._word_features is None
