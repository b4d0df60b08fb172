"""
Fine-tuning against training afresh, on shares of a new corpus: F1 on its test split, and what is left on the old one's.

    python -m benchmarks.finetuning wnut16 wnut17 --shares 0.1,0.3,1 --seeds 1,2,3 -s runs/finetuning

A row of JSON for each run is added to DIR/rows.jsonl; runs that are in it are not made again. The archives of the old corpus are
trained first, or are those of --archives, with {seed} in the name. All choices are by development F1.
"""

import argparse
import copy
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.data import DatasetReader

from roseq_allennlp.commands.with_allennlp import safer_functions
from roseq_allennlp.data.catalogue import CONFIGS, CORPORA
from roseq_allennlp.data.training_mix import MIX_READER, Sentence, read_sentences, share_of, write_sentences
from roseq_allennlp.evaluation.tagged_data import read_labelled, score_of, tag_instances
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.models.finetuning import begin
from roseq_allennlp.models.finetuning_request import FineTuning

SETTINGS: dict[str, dict[str, Any]] = {"fine-tuned": {}, "with replay": {"replay": 0.3}}


def corpus_config(corpus: str, seed: int, overrides: dict[str, Any], model: str) -> Params:
    config = Path("training_configs") / f"{model}_{corpus.replace('-', '_').replace('conll2002', 'conll02')}.jsonnet"
    return Params.from_file(config, {**dict.fromkeys(("random_seed", "numpy_seed", "pytorch_seed"), seed), **overrides})


def train(config: Params, directory: Path, recover: bool = False) -> None:
    train_model(config, directory, recover=recover, force=not recover, file_friendly_logging=True, return_model=False)


def config_on(
    data: Path, sentences: Iterable[Sentence], corpus: str, components: str, vectors: str, epochs: int, seed: int
) -> dict[str, Any]:
    """The config of the ablation on these sentences, which are written to the file `data`, in place of the training split."""
    write_sentences(data, sentences)
    changes = {"train_data_path": str(data), "trainer.num_epochs": epochs}
    changes |= dict.fromkeys(("random_seed", "numpy_seed", "pytorch_seed"), seed)
    variables = {"ROSEQ_CORPUS": corpus, "ROSEQ_COMPONENTS": components, "ROSEQ_VECTORS": vectors}
    config = Params.from_file(CONFIGS / "ablation.jsonnet", changes, variables).as_dict(quiet=True)
    config["validation_dataset_reader"] = copy.deepcopy(config["dataset_reader"])
    config["dataset_reader"].update(MIX_READER)
    return config


def f1(archive: Any, corpus: str, split: str) -> float:
    instances = read_labelled(archive.validation_dataset_reader, f"corpus://{corpus}/{split}")
    return score_of(tag_instances(archive, instances)).overall.f1


def row(directory: Path, old: str, new: str, **fields: Any) -> dict[str, Any]:
    archive = load_archive(directory)
    metrics = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
    scores = {"dev": 100 * metrics["best_validation_f1-measure-overall"], "best_epoch": metrics["best_epoch"]}
    return {**fields, **scores, "new": f1(archive, new, "test"), "old": f1(archive, old, "test")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", choices=CORPORA)
    parser.add_argument("new", choices=CORPORA)
    parser.add_argument("--shares", default="0.1,0.3,1")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--archives", default="", metavar="PATTERN")
    parser.add_argument(
        "--configs", default="roseq", help="of training_configs/, the first word (default: %(default)s)"
    )
    parser.add_argument(
        "--settings", default=json.dumps(SETTINGS), metavar="JSON", help="options of fine-tuning by name"
    )
    parser.add_argument("--overrides", default="{}", metavar="JSON", help="for all runs, with dotted keys")
    parser.add_argument("-s", "--serialization-dir", default="runs/finetuning", metavar="DIR")
    args = parser.parse_args()
    directory, overrides = Path(args.serialization_dir), json.loads(args.overrides)
    directory.mkdir(parents=True, exist_ok=True)
    rows = directory / "rows.jsonl"
    done = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()] if rows.exists() else []
    keys = {(result["system"], result["share"], result["seed"]) for result in done}

    def measured(run: Path, system: str, share: float, seed: int) -> None:
        result = row(run, args.old, args.new, system=system, share=share, seed=seed)
        with open(rows, "a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")

    with safer_functions():
        for seed in map(int, args.seeds.split(",")):
            archive = Path(args.archives.format(seed=seed) or directory / f"{args.old}-{seed}" / "model.tar.gz")
            if not archive.exists():
                train(corpus_config(args.old, seed, overrides, args.configs), archive.parent)
            for share in map(float, args.shares.split(",")):
                data = directory / f"{args.new}-{share:g}-{seed}.conll"
                reader = DatasetReader.from_params(Params({"type": CORPORA[args.new].reader}))
                write_sentences(data, share_of(read_sentences(reader, f"corpus://{args.new}/train"), share, seed))
                run = directory / f"afresh-{share:g}-{seed}"
                if ("afresh", share, seed) not in keys:
                    changes = {**overrides, "train_data_path": str(data)}
                    config = corpus_config(args.new, seed, changes, args.configs).as_dict(quiet=True)
                    # Copies: AllenNLP takes apart what it builds from.
                    config["validation_dataset_reader"] = copy.deepcopy(config["dataset_reader"])
                    config["dataset_reader"].update(MIX_READER)
                    train(Params(config).duplicate(), run)
                    measured(run, "afresh", share, seed)
                for name, options in json.loads(args.settings).items():
                    if (name, share, seed) in keys:
                        continue
                    options = dict(options)
                    replay = {f"corpus://{args.old}/train": options.pop("replay")} if "replay" in options else {}
                    seeds = dict.fromkeys(("random_seed", "numpy_seed", "pytorch_seed"), seed)
                    changes = {**seeds, **overrides, **options.pop("overrides", {})}
                    run = directory / f"{name.replace(' ', '-')}-{share:g}-{seed}"
                    request = FineTuning(
                        str(archive), str(data), f"corpus://{args.new}/dev", replay=replay, overrides=changes, **options
                    )
                    begin(request, run, force=True)
                    train(Params.from_file(run / "config.json"), run, recover=True)
                    measured(run, name, share, seed)


if __name__ == "__main__":
    main()
