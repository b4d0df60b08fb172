import argparse

from roseq_allennlp.commands.command import Command
from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.experiments.systems import SYSTEMS, TABLE_IV

PARTS = ("bilstm", "characters")


class AblationCommand(Command):
    """`ablation CORPUS --seeds 1,2,3`: trains the eight systems of Table IV."""

    description = (
        "Train the eight systems of the paper's Table IV, or some of them, one after another, and write their table."
        " A stopped command goes on where it stopped when it is run again."
    )
    example = "roseq ablation wnut17 --seeds 1,2,3"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("corpus", metavar="CORPUS", help=f"a corpus of the catalogue: {', '.join(CORPORA)}")
        parser.add_argument(
            "--systems",
            default=",".join(TABLE_IV),
            metavar="A,B",
            help=f"among {', '.join(SYSTEMS)}; all but best if left out",
        )
        parser.add_argument(
            "--vectors",
            default="",
            metavar="VECTORS",
            help="in place of the corpus's: fixed:FILE:DIMENSION, an encoder frozen:NAME or tuned:NAME (a name of the"
            " Hugging Face hub, or a folder), or a name of training_configs/lib/vectors.libsonnet",
        )
        parser.add_argument(
            "--without",
            default="",
            metavar="A,B",
            help=f"among {', '.join(PARTS)}: parts that the tagger does not get, for encoders",
        )
        parser.add_argument("--seeds", default="1,2,3", metavar="A,B", help="a run of each system for each seed")
        parser.add_argument("--sentences", type=int, metavar="N", help="train on the first N sentences only")
        parser.add_argument(
            "-s",
            "--serialization-dir",
            metavar="DIR",
            help="where to write runs and tables; runs/ablation/CORPUS if left out, or CORPUS_VECTORS",
        )
        parser.add_argument("--config", default="training_configs/ablation.jsonnet", metavar="FILE")
        parser.add_argument("--overrides", default="", metavar="JSON", help="changes to the config, with dotted keys")
        parser.add_argument(
            "--results",
            metavar="FILE",
            help="where to keep results, a line of JSON for each run; DIR/results.jsonl if left out",
        )
        parser.add_argument("--no-test", action="store_true", help="do not read the test split, for tuning")
