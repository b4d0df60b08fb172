import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

import roseq_allennlp
from roseq_allennlp.data.vector_files import write_vectors
from roseq_allennlp.modules.word_encoder import WordEncoder, vectors_of_words

DIM = 5


@pytest.fixture(scope="module")
def vectors(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with the words of the training fixture."""
    words = [
        line.split("\t")[0] for line in open("fixtures/wnut17/wnut17train.conll", encoding="utf-8") if line.strip()
    ]
    spellings: dict[str, Counter[str]] = {}
    for word in words:
        spellings.setdefault(word.lower(), Counter())[word] += 1
    keys, values = vectors_of_words(WordEncoder(str(tiny_encoder)), spellings, DIM)
    path = str(tmp_path_factory.mktemp("vectors") / "words.vec")
    write_vectors(path, keys, values.numpy())
    return path


@pytest.fixture(scope="module")
def archive(vectors: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    overrides = {
        "trainer.num_epochs": 1,
        "model.text_field_embedder.token_embedders.tokens.embedding_dim": DIM,
        "model.text_field_embedder.token_embedders.tokens.pretrained_file": vectors,
        "model.encoder.input_size": DIM + 60 + 50,
        "vocabulary.pretrained_files": {"tokens": vectors},
    }
    directory = str(tmp_path_factory.mktemp("run") / "run")
    train_model(Params.from_file("training_configs/fixture.jsonnet", json.dumps(overrides)), directory)
    return f"{directory}/model.tar.gz"


def vector(tagger: Any, word: str) -> torch.Tensor:
    index = tagger._model.vocab.get_token_index(word, "tokens")
    return tagger._model._text_field_embedder.token_embedder_tokens(torch.tensor([[index]]))[0, 0]


def test_a_new_word_has_the_vector_that_the_file_would_have_had(archive, vectors, tiny_encoder) -> None:
    """The map is found again from the vectors alone; here it is found with the spellings that they were made of."""
    tagger = roseq_allennlp.load(archive, encoder=str(tiny_encoder))
    new = ["Quibblefox", "zzyzx"]
    tagger.tag_tokens(["Keller", "met", *new])
    encoder = WordEncoder(str(tiny_encoder))
    for word in new:
        assert tagger._model.vocab.get_token_index(word.lower(), "tokens") > 1
        expected = expected_vector(encoder, word, vectors)
        torch.testing.assert_close(vector(tagger, word.lower()).double(), expected, atol=0.05, rtol=0)


def expected_vector(encoder: WordEncoder, word: str, path: str) -> torch.Tensor:
    """By the words of the file whose vectors fit one spelling to the last digit."""
    rows = [line.split(" ") for line in open(path, encoding="utf-8")]
    words = [row[0] for row in rows]
    targets = torch.tensor([[float(value) for value in row[1:]] for row in rows], dtype=torch.float64)
    spelled = {line.split("\t")[0] for line in open("fixtures/wnut17/wnut17train.conll", encoding="utf-8")}
    only = [index for index, key in enumerate(words) if sum(word.lower() == key for word in spelled) == 1]
    spelling = {word.lower(): word for word in spelled}
    states = torch.nn.functional.pad(encoder([spelling[words[i]] for i in only]).double(), (0, 1), value=1.0)
    mapping = torch.linalg.lstsq(states, targets[only]).solution
    return torch.nn.functional.pad(encoder([word]).double(), (0, 1), value=1.0)[0] @ mapping


def test_known_words_and_tags_of_known_sentences_stay(archive, tiny_encoder) -> None:
    plain, completed = roseq_allennlp.load(archive), roseq_allennlp.load(archive, encoder=str(tiny_encoder))
    sentence = [line.split("\t")[0] for line in open("fixtures/wnut17/wnut17train.conll", encoding="utf-8")][:8]
    before = plain.tag_tokens([word for word in sentence if word.strip()])
    completed.tag_tokens(["Quibblefox"])
    assert completed.tag_tokens([word for word in sentence if word.strip()]) == before


def test_threads_may_bring_new_words_at_once(archive, tiny_encoder) -> None:
    tagger = roseq_allennlp.load(archive, encoder=str(tiny_encoder))
    alone = roseq_allennlp.load(archive, encoder=str(tiny_encoder))
    sentences = [[f"Word{'abcdefghij'[i]}{'klmnopqrst'[j]}", "in", "Oslo"] for i in range(10) for j in range(10)]
    answers: dict[int, Any] = {}

    def work(number: int) -> None:
        answers[number] = [tagger.tag_tokens(sentence)["tags"] for sentence in sentences[number::4]]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert answers[number] == [alone.tag_tokens(sentence)["tags"] for sentence in sentences[number::4]]
    assert len(tagger._model.vocab.get_token_to_index_vocabulary("tokens")) == len(
        tagger._model._text_field_embedder.token_embedder_tokens.weight
    )


def test_vectors_of_another_encoder_are_told(archive, tiny_byte_level) -> None:
    with pytest.raises(ConfigurationError, match="were not made by the encoder"):
        roseq_allennlp.load(archive, encoder=str(tiny_byte_level))


def test_a_tagger_without_fixed_vectors_takes_no_encoder(tmp_path, tiny_encoder) -> None:
    overrides = {
        "trainer.num_epochs": 1,
        "model.text_field_embedder.token_embedders.tokens": {"type": "embedding", "embedding_dim": 100},
        "vocabulary.pretrained_files": None,
        "vocabulary.only_include_pretrained_words": False,
        "vocabulary.min_pretrained_embeddings": None,
    }
    train_model(Params.from_file("training_configs/fixture.jsonnet", json.dumps(overrides)), str(tmp_path / "run"))
    with pytest.raises(ConfigurationError, match="no fixed word vectors"):
        roseq_allennlp.load(tmp_path / "run", encoder=str(tiny_encoder))
