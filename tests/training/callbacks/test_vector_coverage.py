from types import SimpleNamespace

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from roseq_allennlp.data.dataset_readers import WnutReader
from roseq_allennlp.data.token_indexers import FoldedWordsIndexer
from roseq_allennlp.training.callbacks import VectorCoverageCallback


def trainer(sentences: dict[str, list[str]], indexer: str = "tokens") -> SimpleNamespace:
    reader = WnutReader(token_indexers={indexer: FoldedWordsIndexer()})

    def loader(texts: list[str]) -> SimpleNamespace:
        instances = [reader.text_to_instance(text.split()) for text in texts]
        for instance in instances:
            reader.apply_token_indexers(instance)
        return SimpleNamespace(iter_instances=lambda: iter(instances))

    vocab = Vocabulary(tokens_to_add={"tokens": ["fog", "oslo", "0"]})
    return SimpleNamespace(
        data_loader=loader(sentences["training"]),
        _validation_data_loader=loader(sentences["development"]) if "development" in sentences else None,
        model=SimpleNamespace(vocab=vocab),
    )


def test_tokens_and_words_without_a_vector_are_counted(capsys) -> None:
    """`Fog` and the number have one, by their folded forms."""
    sentences = {"training": ["Fog in Oslo in 7 days", "in Narvik"], "development": ["fog Oslo"]}
    VectorCoverageCallback("").on_start(trainer(sentences))
    assert capsys.readouterr().err.splitlines() == [
        "Word vectors, training data: 5 of 8 tokens (62.5%) and 3 of 6 words (50.0%) have none, such as in, Narvik, days",
        "Word vectors, development data: 0 of 2 tokens (0.0%) and 0 of 2 words (0.0%) have none",
    ]


@pytest.mark.parametrize("primary, said", [(True, 1), (False, 0)])
def test_the_primary_process_alone_says_so(primary, said, capsys) -> None:
    VectorCoverageCallback("").on_start(trainer({"training": ["Fog"]}), primary)
    assert len(capsys.readouterr().err.splitlines()) == said


def test_empty_data_has_no_share(capsys) -> None:
    VectorCoverageCallback("").on_start(trainer({"training": []}))
    assert capsys.readouterr().err == "Word vectors, training data: no sentences\n"


def test_another_indexer_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match="no token indexer 'tokens', only .'words'"):
        VectorCoverageCallback("").on_start(trainer({"training": ["Fog"]}, "words"))
    VectorCoverageCallback("", indexer="words").on_start(trainer({"training": ["Fog"]}, "words"))
