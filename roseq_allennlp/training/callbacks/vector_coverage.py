from collections import Counter
from typing import TYPE_CHECKING, Any

from allennlp.common.checks import ConfigurationError
from allennlp.data import Token
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.console import Console
from roseq_allennlp.training.trainer_access import TrainerAccess

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer


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
                Console().say(f"Word vectors, {name} data: {self._coverage(loader, trainer.model.vocab)}")

    def _coverage(self, loader: Any, vocab: Any) -> str:
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
            return "no sentences"
        words = list(counts)
        ids = indexer.tokens_to_indices([Token(word) for word in words], vocab)["tokens"]
        unknown = vocab.get_token_index(vocab._oov_token, indexer.namespace)
        without = [word for word, index in zip(words, ids, strict=True) if index == unknown]
        tokens, total = sum(counts[word] for word in without), sum(counts.values())
        examples = ", ".join(sorted(without, key=lambda word: (-counts[word], word))[:5])
        return (
            f"{tokens} of {total} tokens ({tokens / total:.1%}) and {len(without)} of {len(words)} words"
            f" ({len(without) / len(words):.1%}) have none" + (f", such as {examples}" if examples else "")
        )
