"""What a long text takes: no tensor grows faster than the text, and none with what is cut off a word."""

import time

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import roseq_allennlp

DENSE = ["Marta", "Keller", "in", "Oslo"]


class LargestTensor(TorchDispatchMode):
    """Notes the size of the largest tensor that an operation gives, in bytes."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(output):
            if isinstance(leaf, torch.Tensor):
                self.size = max(self.size, leaf.numel() * leaf.element_size())
        return output


def largest(tag, *args):
    with LargestTensor() as tensors:
        answer = tag(*args)
    return tensors.size, answer


def words(count):
    return [f"{word}{number}" if number % 5 == 0 else word for number in range(count // 4) for word in DENSE]


@pytest.mark.parametrize("kind", ["tokens", "sentence", "text"])
def test_memory_is_linear_in_the_length_of_a_text(tagger, kind):
    tag = {"tokens": tagger.tag_tokens, "sentence": tagger.tag, "text": tagger.tag_document}[kind]
    sizes = []
    for count in (3000, 12_000):
        size, answer = largest(tag, words(count) if kind == "tokens" else " ".join(words(count)))
        sizes.append(size)
        assert len(answer["words"]) == count and len(answer["entities"]) > count / 4
    assert sizes[1] < 4.5 * sizes[0]
    assert sizes[1] < 12_000 * 2**12


def test_a_long_word_costs_what_it_is_cut_to(tagger):
    for long, short in (("x" * 300_000, "x" * 70), ("\u0130" * 300_000, "\u0130" * 70)):
        expected_size, expected = largest(tagger.tag_tokens, ["Marta", short, "Oslo"] * 10)
        started = time.process_time()
        size, answer = largest(tagger.tag_tokens, ["Marta", long, "Oslo"] * 10)
        assert size == expected_size and time.process_time() - started < 5
        assert answer["tags"] == expected["tags"] and answer["words"][1] == long


def test_a_long_word_in_a_text(archive_path):
    tagger = roseq_allennlp.load(archive_path)
    text = f"Marta in {'x' * 300_000} Oslo"
    for tag in (tagger.tag, tagger.tag_document):
        started = time.process_time()
        answer = tag(text)
        assert time.process_time() - started < 10
        assert [entity["text"] for entity in answer["entities"]][-1] == "Oslo"
