from typing import Optional

import torch
from allennlp.training.optimizers import Optimizer, ParameterGroupsType, make_parameter_groups


@Optimizer.register("fused_adam")
class FusedAdam(Optimizer, torch.optim.Adam):
    """
    AllenNLP's `adam`, computed by torch's fused kernel: one pass over each parameter, which counts where a table of word
    vectors is trained. The updates are those of `adam` to rounding, and the state is interchangeable.

    # Parameters

    As those of `adam`; all parameters must be floating point, on the CPU or a GPU.
    """

    def __init__(
        self,
        model_parameters: list[tuple[str, torch.nn.Parameter]],
        parameter_groups: Optional[ParameterGroupsType] = None,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(
            params=make_parameter_groups(model_parameters, parameter_groups),
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            fused=True,
        )
