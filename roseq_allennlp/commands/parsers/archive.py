import argparse

from roseq_allennlp.commands.command import Command


class ArchiveCommand(Command):
    """`archive ARCHIVE OUTPUT`: copies an archive, or the directory of a run, with its weights in safetensors."""

    description = (
        "Copy an archive with its weights as safetensors, a format that cannot hold code. Every command of roseq opens the"
        " copy; AllenNLP's own loader does not."
    )
    example = "roseq archive runs/wnut17 model.safetensors.tar.gz"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("archive", metavar="ARCHIVE", help="a model.tar.gz, or the directory of a run")
        parser.add_argument("output", metavar="OUTPUT", help="the archive to write, such as model.safetensors.tar.gz")
