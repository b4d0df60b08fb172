from pathlib import Path
from typing import Any, Optional

import torch.distributed as dist
from allennlp.commands.train import TrainModel
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import prepare_environment
from allennlp.models.archival import CONFIG_NAME
from allennlp.nn.parallel import DdpAccelerator

from roseq_allennlp.data.encoder_files import ENCODER
from roseq_allennlp.models.finetuning import begin_in
from roseq_allennlp.models.finetuning_request import requested

_TAKEN = ("evaluation", "include_in_archive")  # by AllenNLP's command, from a config


@TrainModel.register("finetune", constructor="of_archive")
class FinetunedRun(TrainModel):
    """
    Fine-tuning as a config of AllenNLP, which `training_configs/lib/finetune.libsonnet` gives. The config in the directory of
    the run is replaced by the plain one that it comes to, and the run needs the archive no more.

    `roseq train` does the same before it starts to train, and so can go on with `--recover`, train in several processes and
    write archives with an encoder. `allennlp train` cannot; it goes on with the `config.json` in the directory of the run.

    # Parameters

    serialization_dir, local_rank, ddp_accelerator : optional
        Set by AllenNLP.
    archive, train_data_path, validation_data_path, types, replay, vectors, layer_decay, overrides, unmarked : optional
        See `roseq_allennlp.models.finetuning_request.FineTuning`; the first two are needed.

    # Raises

    `ConfigurationError`: as `roseq_allennlp.models.finetuning.begin`, in distributed training, and for an archive with an
    encoder.
    """

    @classmethod
    def of_archive(
        cls,
        serialization_dir: str,
        local_rank: int,
        archive: str,
        train_data_path: str,
        validation_data_path: Optional[str] = None,
        types: Optional[list[str]] = None,
        replay: Optional[dict[str, float]] = None,
        vectors: Optional[str] = None,
        layer_decay: float = 1.0,
        overrides: Optional[dict[str, Any]] = None,
        unmarked: Optional[str] = None,
        datasets_for_vocab_creation: Optional[list[str]] = None,
        ddp_accelerator: Optional[DdpAccelerator] = None,
    ) -> TrainModel:
        """See the class."""
        config = {
            "archive": archive,
            "train_data_path": train_data_path,
            "validation_data_path": validation_data_path,
            "types": types,
            "replay": replay,
            "vectors": vectors,
            "layer_decay": layer_decay,
            "overrides": overrides,
            "unmarked": unmarked,
        }
        begin_in(requested(config), Path(serialization_dir))
        params = Params.from_file(Path(serialization_dir, CONFIG_NAME))
        if (dist.is_available() and dist.is_initialized()) or "distributed" in params:
            raise ConfigurationError("finetune: in several processes it is trained by `roseq train`.")
        if Path(serialization_dir, ENCODER).is_dir():
            raise ConfigurationError(
                "finetune: an archive with an encoder is trained by `roseq train`; that which `allennlp train` would write lacks"
                " the encoder."
            )
        for key in _TAKEN:
            params.pop(key, None)
        prepare_environment(params)  # by the seeds of the archive
        return TrainModel.from_params(
            params=params, serialization_dir=serialization_dir, local_rank=local_rank, ddp_accelerator=ddp_accelerator
        )
