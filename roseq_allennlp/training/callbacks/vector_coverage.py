import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from allennlp.common.checks import ConfigurationError
from allennlp.data import Token
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.console import Console
from roseq_allennlp.training.trainer_access import TrainerAccess

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer

logger = logging.getLogger(__name__)
_LINE = 80  # characters


@TrainerCallback.register("vector_coverage")
class VectorCoverageCallback(TrainerCallback):
    """
    Says before training how much of the training and development data has no word vector: tokens, and distinct words.

    Fires in `on_start`, in the primary process only, and changes nothing. It reads the instances of the trainer's data
    loaders once more. In distributed training they are those of the primary process.

    # Parameters

    indexer : `str`, optional (default = `"tokens"`)
        Key of the token indexer that gives a word its id: a word has no vector where that is the id of unknown words.

    # Raises

    `ConfigurationError`: the instances have no such indexer.
    """

    def __init__(self, serialization_dir: str, indexer: str = "tokens") -> None:
        super().__init__(serialization_dir)
        self._indexer = indexer

    def on_start(self, trainer: "GradientDescentTrainer", is_primary: bool = True, **kwargs: Any) -> None:
        if not is_primary:
            return
        loaders = {"training": trainer.data_loader, "development": TrainerAccess(trainer).validation_data_loader}
        for name, loader in loaders.items():
            if loader is not None:
                Console().say(self._coverage(name, loader, trainer.model.vocab))

    def _coverage(self, name: str, loader: Any, vocab: Any) -> str:
        counts: Counter[str] = Counter()
        indexer = None
        for instance in loader.iter_instances():
            indexers = instance["tokens"].token_indexers
            if self._indexer not in indexers:
                raise ConfigurationError(
                    f"vector_coverage: there is no token indexer {self._indexer!r}, only {sorted(indexers)}. Set `indexer`, or"
                    " remove the callback."
                )
            indexer = indexers[self._indexer]
            counts.update(token.text for token in instance["tokens"])
        if indexer is None:
            return f"Word vectors: no sentences in the {name} data."
        words = list(counts)
        ids = indexer.tokens_to_indices([Token(word) for word in words], vocab)["tokens"]
        unknown = vocab.get_token_index(vocab._oov_token, indexer.namespace)
        without = [word for word, index in zip(words, ids, strict=True) if index == unknown]
        tokens, total = sum(counts[word] for word in without), sum(counts.values())
        logger.info(
            "Word vectors, %s data: %d of %d tokens and %d of %d words have none",
            *(name, tokens, total, len(without), len(words)),
        )
        share = f"{tokens / total:.1%} of {name} tokens and {len(without) / len(words):.1%} of words"
        examples = sorted(without, key=lambda word: (-counts[word], word))
        return _with_examples(f"No word vector for {share}", examples)


def _with_examples(text: str, examples: list[str]) -> str:
    """As many of the first five as a line has room for."""
    longer = [f"{text}: {', '.join(examples[:number])}" for number in range(1, min(5, len(examples)) + 1)]
    return max((line for line in longer if len(line) <= _LINE), key=len, default=text)
