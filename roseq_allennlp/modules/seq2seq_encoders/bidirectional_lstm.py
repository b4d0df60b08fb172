from typing import Optional

import torch
from allennlp.modules.seq2seq_encoders import Seq2SeqEncoder
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from roseq_allennlp.nn.bfloat16 import lstm_precision
from roseq_allennlp.nn.dropout import dropout
from roseq_allennlp.nn.mirror import mirror

_STEPS = 4096


@Seq2SeqEncoder.register("bidirectional_lstm")
class BidirectionalLstm(Seq2SeqEncoder):
    """
    Gives what AllenNLP's encoder `lstm` with `bidirectional: true` gives, to 1e-5, gradients too, about three times as fast
    on the CPU. Names and shapes of the weights are the same, so either loads the other's.

    torch has a fast CPU kernel for padded batches and none for packed ones. Here the backward direction is a forward one
    over each sentence turned round within its own length, so that no direction meets padding before the sentence ends.
    On a GPU the batch is packed, for cuDNN.

    # Parameters

    input_size : `int`, optional
        Left out, it is set by `set_input_dim` before the encoder is used: a `label_aware_crf_tagger` sets it to the width of
        its embedder, which a config cannot know where a transformer is chosen by name.
    hidden_size : `int`, optional (default = `100`)
        Size of each direction.
    num_layers : `int`, optional (default = `1`)
    dropout : `float`, optional (default = `0.0`)
        Dropout between layers.
    """

    def __init__(
        self, input_size: Optional[int] = None, hidden_size: int = 100, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self._hidden_size, self._num_layers, self._dropout = hidden_size, num_layers, dropout
        self._input_dim = 0
        if input_size is not None:
            self.set_input_dim(input_size)

    def set_input_dim(self, input_size: int) -> None:
        """Makes the weights, for vectors of this size."""
        self._input_dim = input_size
        self._module = torch.nn.LSTM(
            input_size,
            self._hidden_size,
            self._num_layers,
            dropout=self._dropout,
            bidirectional=True,
            batch_first=True,
        )

    def get_input_dim(self) -> int:
        """0 while it is not known."""
        return self._input_dim

    def get_output_dim(self) -> int:
        return 2 * self._hidden_size

    def is_bidirectional(self) -> bool:
        return True

    def forward(self, inputs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        `inputs` is `(B, T, input_size)`; `mask` `(B, T)`, true for real tokens, at the left. Returns
        `(B, T, 2 * hidden_size)`, zero at padding.
        """
        if uses_cudnn(inputs):
            outputs = self._packed(inputs, mask)
        else:
            outputs = inputs
            weights: list[torch.Tensor] = list(self._module.parameters())  # four for each layer and direction
            for layer in range(self._module.num_layers):
                if layer:
                    outputs = dropout(outputs, self._module.dropout, self.training)
                ahead, back = (weights[first : first + 4] for first in (8 * layer, 8 * layer + 4))
                outputs = torch.cat(
                    [_one_direction(outputs, ahead), mirror(_one_direction(mirror(outputs, mask), back), mask)], dim=2
                )
        return outputs * mask.unsqueeze(2).to(outputs.dtype)

    def _packed(self, inputs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Runs `torch.nn.LSTM` over a packed batch, on any device. Values at padding have no meaning."""
        # The device sorts: torch would sort on the CPU and synchronise twice more for the order. cuDNN takes no empty
        # sentence, so those have one token here.
        lengths, order = mask.sum(dim=1).clamp(min=1).sort(descending=True)  # (B,)
        packed = pack_padded_sequence(inputs.index_select(0, order), on_cpu(lengths), batch_first=True)
        outputs, _ = pad_packed_sequence(self._module(packed)[0], batch_first=True, total_length=mask.size(1))
        return outputs.index_select(0, order.argsort())


def uses_cudnn(inputs: torch.Tensor) -> bool:
    """Whether the batch is packed for cuDNN."""
    return inputs.is_cuda and torch.backends.cudnn.enabled


def on_cpu(lengths: torch.Tensor) -> torch.Tensor:
    """Lengths for cuDNN, which wants them on the CPU: the one synchronisation in a forward pass of the tagger."""
    return lengths.cpu()


def _one_direction(inputs: torch.Tensor, weights: list[torch.Tensor]) -> torch.Tensor:
    """`(B, T, hidden_size)` from `(B, T, input_size)`, by the four weights of a layer and direction."""
    with lstm_precision(inputs.device) as in_float32:
        inputs = inputs.float() if in_float32 else inputs
        state = [inputs.new_zeros(1, inputs.size(0), weights[1].size(1))] * 2  # twice (1, B, hidden_size)
        parts = []
        # torch computes the gates of all steps first. Without gradients some steps at a time are enough.
        for part in inputs.split(inputs.size(1) if torch.is_grad_enabled() else _STEPS, dim=1):
            # has_biases, num_layers, dropout, train, bidirectional, batch_first
            outputs, *state = torch.lstm(part, state, weights, True, 1, 0.0, False, False, True)
            parts.append(outputs)
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
