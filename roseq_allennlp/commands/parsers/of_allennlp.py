"""AllenNLP's own commands: their arguments as AllenNLP has them, which a test compares."""

import argparse
from importlib import import_module

from roseq_allennlp.commands.command import Command, add_overrides
from roseq_allennlp.console import Console
from roseq_allennlp.data.cache import cache_directory


class AllenNlpsCommand(Command):
    """One whose mistakes of the user's AllenNLP reports by exceptions of all kinds: see `commands.explanations`."""


class _Unchanged(AllenNlpsCommand):
    """One that runs as AllenNLP has it."""

    def run(self, args: argparse.Namespace, console: Console) -> int:
        import_module("roseq_allennlp.commands.of_allennlp").run(self.name, args, console)
        return 0


class BuildVocabCommand(_Unchanged):
    """`build-vocab CONFIG OUTPUT`."""

    description = "Make the vocabulary of a training config, as a tar.gz."
    example = "roseq build-vocab training_configs/roseq_wnut17.jsonnet v.tar.gz"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("param_path", metavar="CONFIG", help="a training config (jsonnet)")
        parser.add_argument("output_path", metavar="OUTPUT", help="the tar.gz to write")
        parser.add_argument("-f", "--force", action="store_true", help="replace OUTPUT if it exists")
        add_overrides(parser, "-o")


class CachedPathCommand(_Unchanged):
    """`cached-path [RESOURCE …]`."""

    description = "Fetch files into AllenNLP's cache and print where they are; or show or remove what the cache has."
    example = "roseq cached-path corpus://wnut17/train"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "resources", nargs="*", metavar="RESOURCE", help="addresses or paths; patterns with --inspect and --remove"
        )
        parser.add_argument("-d", "--cache-dir", default=cache_directory(), metavar="DIR", help="the cache")
        parser.add_argument("-x", "--extract-archive", action="store_true", help="unpack zip and tar.gz")
        parser.add_argument("-f", "--force-extract", action="store_true", help="unpack again what is unpacked")
        parser.add_argument("--inspect", action="store_true", help="show what the cache has")
        parser.add_argument("--remove", action="store_true", help="remove what the cache has of RESOURCE")


class ChecklistCommand(_Unchanged):
    """`checklist ARCHIVE TASK`."""

    description = "Run an archive through a suite of CheckList, which AllenNLP needs its extra `checklist` for."
    example = "roseq checklist model.tar.gz sentiment-analysis"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archive_file", metavar="ARCHIVE", help="a model.tar.gz")
        parser.add_argument("task", metavar="TASK", help="a task's name in AllenNLP")
        parser.add_argument("--checklist-suite", metavar="FILE", help="a suite of one's own")
        parser.add_argument("--capabilities", nargs="+", default=[], metavar="NAME", help="those that are tested")
        parser.add_argument("--max-examples", type=int, metavar="N", help="examples that are tested")
        parser.add_argument("--task-suite-args", default="", metavar="JSON", help="arguments of the suite")
        parser.add_argument("--print-summary-args", default="", metavar="JSON", help="arguments of its summary")
        parser.add_argument("--output-file", metavar="FILE", help="where to write it")
        parser.add_argument("--cuda-device", type=int, default=-1, metavar="N", help="GPU, -1 for the CPU")
        parser.add_argument("--predictor", metavar="NAME", help="in place of the archive's")
        parser.add_argument("--predictor-args", default="", metavar="JSON", help="arguments of the predictor")


class CountInstancesCommand(_Unchanged):
    """`count-instances CONFIG`."""

    description = "Count the training sentences of a config."
    example = "roseq count-instances training_configs/roseq_wnut17.jsonnet"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("param_path", metavar="CONFIG", help="a training config (jsonnet)")
        add_overrides(parser, "-o")


class DiffCommand(_Unchanged):
    """`diff CHECKPOINT CHECKPOINT`."""

    description = (
        "Compare the weights of two checkpoints. Lines begin with + for what only the second has, - for what only the first"
        " has, ! for what differs by more than the threshold."
    )
    example = "roseq diff runs/a/best.th runs/b/best.th"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("checkpoint1", metavar="CHECKPOINT", help="weights of torch: a path or an address")
        parser.add_argument("checkpoint2", metavar="CHECKPOINT", help="the other weights")
        parser.add_argument("--strip-prefix-1", metavar="TEXT", help="left out of the names of the first")
        parser.add_argument("--strip-prefix-2", metavar="TEXT", help="left out of the names of the second")
        parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="factor of the distance")
        parser.add_argument(
            "--threshold",
            type=float,
            default=1e-5,
            metavar="X",
            help="the root mean square up to which weights are equal",
        )


class FindLearningRateCommand(AllenNlpsCommand):
    """`find-lr CONFIG -s DIR`."""

    description = "Find the learning rates at which the loss falls fast. Their plot is in the directory."
    example = "roseq find-lr training_configs/roseq_wnut17.jsonnet -s runs/find-lr"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("param_path", metavar="CONFIG", help="a training config (jsonnet)")
        parser.add_argument("-s", "--serialization-dir", required=True, metavar="DIR", help="where to write")
        add_overrides(parser, "-o")
        parser.add_argument("--start-lr", type=float, default=1e-5, metavar="X", help="the first learning rate")
        parser.add_argument("--end-lr", type=float, default=10, metavar="X", help="the last learning rate")
        parser.add_argument("--num-batches", type=int, default=100, metavar="N", help="batches from first to last")
        parser.add_argument(
            "--stopping-factor", type=float, metavar="X", help="stop where the loss is X times the lowest one"
        )
        parser.add_argument("--linear", action="store_true", help="raise it by equal steps, not by equal factors")
        parser.add_argument("-f", "--force", action="store_true", help="replace the directory if it exists")
        add_file_friendly_logging(parser)


class PrintResultsCommand(_Unchanged):
    """`print-results DIR -k KEY …`."""

    description = "Print numbers of the metrics of all runs below a directory, separated by commas."
    example = "roseq print-results runs -k best_validation_f1-measure-overall epoch"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("path", metavar="DIR", help="where to look for runs")
        parser.add_argument("-k", "--keys", nargs="+", metavar="KEY", help="the keys of the metrics")
        parser.add_argument(
            "-m", "--metrics-filename", default="metrics.json", metavar="FILE", help="the metrics' file"
        )


class PushToHfCommand(_Unchanged):
    """`push-to-hf -n NAME -s DIR`."""

    description = "Push a run to the Hugging Face Hub, after `huggingface-cli login`."
    example = "roseq push-to-hf -n my-tagger -s runs/wnut17"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-n", "--repo-name", required=True, metavar="NAME", help="name of the repository")
        model = parser.add_mutually_exclusive_group(required=True)
        model.add_argument("-s", "--serialization-dir", metavar="DIR", help="the directory of a run")
        model.add_argument("-a", "--archive-path", metavar="ARCHIVE", help="a model.tar.gz alone")
        parser.add_argument("-o", "--organization", metavar="NAME", help="whose repository it is")
        parser.add_argument(
            "-c", "--commit-message", default="Update repository", metavar="TEXT", help="message of the commit"
        )
        parser.add_argument("-l", "--local-repo-path", default="hub", metavar="DIR", help="where it is made here")


class TestInstallCommand(_Unchanged):
    """`test-install`."""

    description = "Import all of AllenNLP, to see that it is installed whole."
    example = "roseq test-install"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        pass


def add_file_friendly_logging(parser: argparse.ArgumentParser) -> None:
    """Adds `--file-friendly-logging`."""
    parser.add_argument("--file-friendly-logging", action="store_true", help="bars as lines, as where no terminal is")
