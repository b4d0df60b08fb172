"""
The table of what the config of an untrusted archive may name: components that read nothing but their arguments, and so
neither files nor addresses.
"""

import re
from typing import Any

from allennlp.common import Registrable
from allennlp.data import BatchSampler, DataLoader, DatasetReader, TokenIndexer, Tokenizer
from allennlp.data.data_loaders.data_collator import DataCollator
from allennlp.evaluation import Evaluator, Serializer
from allennlp.models import Model
from allennlp.modules import FeedForward, Seq2SeqEncoder, Seq2VecEncoder, TextFieldEmbedder, TokenEmbedder
from allennlp.nn import Activation, RegularizerApplicator
from allennlp.nn.regularizers import Regularizer
from allennlp.training import Checkpointer, Trainer, TrainerCallback
from allennlp.training.learning_rate_schedulers import LearningRateScheduler
from allennlp.training.moving_average import MovingAverage
from allennlp.training.optimizers import Optimizer

from roseq_allennlp.data.token_indexers import TransformerIndexer
from roseq_allennlp.modules.token_embedders import TransformerEmbedder

_RECURRENT = {"augmented_lstm", "gru", "lstm", "rnn", "stacked_bidirectional_lstm"}
COMPONENTS: dict[Any, set[str]] = {
    Activation: set(Registrable._registry[Activation]),  # functions of PyTorch; AllenNLP offers no public list of them
    BatchSampler: {"bucket", "max_tokens_sampler"},
    DataCollator: {"allennlp"},
    DataLoader: {"in_memory", "multiprocess", "simple"},
    DatasetReader: {"columns", "conll2002", "conll2003_ner", "spans", "wnut"},
    Evaluator: {"simple"},
    Model: {"label_aware_crf_tagger", "tagger_ensemble"},
    Regularizer: {"l1", "l2"},
    Seq2SeqEncoder: {"bidirectional_lstm", "compose", "feedforward", "pass_through", *_RECURRENT},
    Seq2VecEncoder: {"bag_of_embeddings", "boe", "cnn", *_RECURRENT},
    Serializer: {"simple"},
    TextFieldEmbedder: {"basic"},
    TokenEmbedder: {
        *(
            "char_cnn_highway",
            "character_encoding",
            "embedding",
            "empty",
            "fixed_embedding",
            "pass_through",
            "transformer",
        ),
    },
    TokenIndexer: {
        *("characters", "folded_words", "orthographic", "orthographic_characters", "single_id", "transformer"),
    },
    Tokenizer: {"character"},
    # Of the trainer, which only fine-tuning builds from an archive's config.
    Checkpointer: {"atomic", "default"},
    LearningRateScheduler: {
        *(
            "constant",
            "constant_with_warmup",
            "cosine_with_warmup",
            "exponential",
            "inverse_time_decay",
            "linear_warmup",
        ),
        *("linear_with_warmup", "multi_step", "polynomial_decay", "slanted_triangular", "step"),
    },
    MovingAverage: {"exponential"},
    Optimizer: {"adam", "adamw", "fused_adam", "huggingface_adamw", "sgd"},
    Trainer: {"gradient_descent"},
    TrainerCallback: {
        *("adversarial", "augmentation", "calibration", "declared_types", "exact_recovery", "finite_loss"),
        *("label_statistics", "late_start", "score_table", "track_epoch_callback", "vector_coverage"),
    },
}
"""The names allowed for each base class."""

UNREGISTERED: set[Any] = {FeedForward, RegularizerApplicator}
"""Classes that a parameter's annotation may ask for although they have no registered name."""

LIBRARIES = {"allennlp", "allennlp_models", "allennlp_semparse", "allennlp_server", "roseq_allennlp", "torch"}
"""Packages whose components must be in the table. Those of any other package were imported by the user."""

NOT_LOADED = {"initializer", "pretrained_file"}
"""Parameters that only training needs, as an archive has the weights: left out."""

NOT_LOADED_OF: dict[Any, set[str]] = {TransformerEmbedder: {"model_name"}, TransformerIndexer: {"model_name"}}
"""The same, of one class: the archive has the encoder, see `archive_encoder`."""

SUPPLIED = {"data_path", "reader", "vocab"}
"""Parameters that the program gives, which FromParams would take from the config instead."""

NAMES_A_FILE = re.compile(
    r"(?i)(^|_)(archives?|cache|dirs?|directory|directories|files?|filename|folder|paths?|remote|ur[il]s?|_?pretrained)(_|$)"
    r"|^(model|module|transformer)_name$"
)
"""Names of parameters that can name a file, an address or a model on a hub."""

NOT_GIVEN = {"postprocessor_fn_name"}
"""Parameters that name a method to call."""

LIMITS = {
    "max_word_pieces": 1024,
    "min_padding_length": 256,
    "num_workers": 16,
    "token_min_padding_length": 256,
    "top_k": 1000,
    "num_embeddings": 10**8,
    "window": 8192,
}
"""The largest absolute values of numbers, `LIMIT` for all others: time and memory of tagging a sentence depend on them."""
LIMIT = 10**6


def from_user(component: Any) -> bool:
    """Whether the class comes from a package that the user imported."""
    return str(component.__module__).partition(".")[0] not in LIBRARIES
