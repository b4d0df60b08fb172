"""Encoders of Hugging Face, with their weights. No code that comes with a model is run."""

import logging
from pathlib import Path
from typing import Any, Optional

import torch
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.encoder_files import LAYOUT, EncoderFiles

START = "start.th"
"""Weights that a run begins with, in its directory."""

_WEIGHTS = ("weights.th", "weights.safetensors", "best.th")


def load_encoder(files: EncoderFiles, model_name: Optional[str], serialization_dir: Optional[str]) -> Any:
    """
    The encoder with its weights, unless those of the whole model are in `serialization_dir`, or are what a run begins with,
    and without the parts that are not used.

    # Raises

    `ConfigurationError`: the weights cannot be read, or are not those of the config.
    """
    from transformers import AutoConfig, AutoModel

    values = {**files.config}
    config = AutoConfig.for_model(values.pop("model_type"), **values)
    model = None
    if model_name is not None and not _is_of_run(model_name):
        try:
            model = _pretrained(model_name)
        except ConfigurationError:
            if not _has_weights(serialization_dir):
                raise
    if model is None:
        model = AutoModel.from_config(config, trust_remote_code=False, torch_dtype=torch.float32)
    if config.is_encoder_decoder:
        model = model.get_encoder()
    if hasattr(model.config, "reference_compile"):
        model.config.reference_compile = False  # ModernBERT would be compiled for each shape of a batch
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # has no part in the vectors of pieces, so no gradient
    return model


def _pretrained(name: str) -> Any:
    from transformers import AutoModel

    logs = logging.getLogger("transformers.modeling_utils")
    level = logs.level
    logs.setLevel(logging.ERROR)  # it warns of each pooler and head
    try:
        model, loaded = AutoModel.from_pretrained(
            name, trust_remote_code=False, torch_dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # of damaged weights nearly anything
        raise ConfigurationError(
            f"transformer: the weights of the encoder {name!r} cannot be read ({' '.join(str(error).split())[:300]}). Give a"
            " name of the Hugging Face hub, or a folder with its weights, as safetensors or as torch saves tensors."
        ) from error
    finally:
        logs.setLevel(level)
    missing = [key for key in loaded["missing_keys"] if "pooler" not in key]
    if missing:
        raise ConfigurationError(
            f"transformer: the folder of the encoder {name!r} has no weights for {len(missing)} of its parts, such as"
            f" {missing[0]}. They are not those of its config: fetch it again."
        )
    return model


def _is_of_run(model_name: str) -> bool:
    """Whether it is the folder in that of a run, as `encoder_files` writes it, whose weights come from `START`."""
    folder = Path(model_name)
    return (folder / LAYOUT).is_file() and folder.with_name(START).is_file()


def _has_weights(directory: Optional[str]) -> bool:
    return directory is not None and (
        any(Path(directory, name).exists() for name in _WEIGHTS) or any(Path(directory).glob("model_state_e*.th"))
    )


def positions(encoder: torch.nn.Module) -> Optional[int]:
    """How many pieces have a position, where the encoder gives them positions of their own."""
    for name, module in encoder.named_modules():
        if name.rsplit(".", 1)[-1] in ("position_embeddings", "wpe") and isinstance(module, torch.nn.Embedding):
            # Where padding has a position, the first piece comes after it.
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    return getattr(encoder.config, "max_position_embeddings", None)
