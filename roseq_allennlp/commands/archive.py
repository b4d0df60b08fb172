import argparse

from allennlp.commands.subcommand import Subcommand

from roseq_allennlp.commands.command import Command
from roseq_allennlp.console import Console
from roseq_allennlp.models.archive import with_safetensors


@Subcommand.register("archive")
class ArchiveCommand(Command):
    """`archive ARCHIVE OUTPUT`: copies an archive, or the directory of a run, with its weights in safetensors."""

    description = (
        "Copy an archive with its weights as safetensors, a format that cannot hold code. Every command of roseq opens the"
        " copy; AllenNLP's own loader does not."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archive", metavar="ARCHIVE", help="a model.tar.gz, or the directory of a run")
        parser.add_argument("output", metavar="OUTPUT", help="the archive to write, such as model.safetensors.tar.gz")

    def run(self, args: argparse.Namespace, console: Console) -> int:
        with_safetensors(args.archive, args.output)
        console.print(f"Written: {args.output}")
        return 0
