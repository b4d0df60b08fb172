import argparse

from roseq_allennlp.commands.command import Command


class LabelWeightsCommand(Command):
    """`label-weights CONFIG`: shows θ and ζ (eq. 8) of each tag, as training with that config computes them."""

    description = (
        "Show the share θ and the label-aware weight ζ of each tag for a training config. ζ is that of the config's τ and"
        " of two others, as a table and a plot."
    )
    example = "roseq label-weights training_configs/roseq_wnut17.jsonnet --tau 0.1"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("config", metavar="CONFIG", help="a training config (jsonnet)")
        parser.add_argument(
            "--tau", metavar="A,B", help="the two other values of τ; half and twice the config's if left out"
        )
        parser.add_argument("--overrides", default="", metavar="JSON", help="changes to the config, with dotted keys")
        parser.add_argument(
            "-o", "--output", default="label-weights.svg", metavar="FILE", help="where to write the plot"
        )
