"""
What the development split is worth as training data: trains base or RoSeq on it too, for as many epochs as it chose before.

    python -m benchmarks.train_and_dev wnut16 --systems base,roseq --seeds 1,2,3 --results results/wnut16.jsonl -s runs/train_and_dev

For each system and seed the results must have the run on the training split alone, with the same vectors. Its best epoch is the last
one here, and the test file is read once with the weights of that epoch. The new row repeats the development scores of that run: the
new tagger has none, as it was trained on that data. Runs whose row is in the results are not made again.
"""

import argparse
import json
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

from allennlp.common import Params
from allennlp.data import DatasetReader

from benchmarks.finetuning import config_on, train
from roseq_allennlp.commands.with_allennlp import safer_functions
from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.data.training_mix import read_sentences
from roseq_allennlp.evaluation.tagged_data import tag_instances
from roseq_allennlp.experiments.ablation import named_vectors
from roseq_allennlp.experiments.measuring import epochs_of, held_out, revision, seconds_of, versions
from roseq_allennlp.experiments.results import keep_result, read_results
from roseq_allennlp.experiments.systems import SYSTEMS
from roseq_allennlp.models.archive import load_archive


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", choices=CORPORA)
    parser.add_argument("--systems", default="base,roseq")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--vectors", default="", help="as those of roseq ablation")
    parser.add_argument(
        "--results", required=True, type=Path, metavar="FILE", help="with the runs on the training split"
    )
    parser.add_argument("-s", "--serialization-dir", required=True, type=Path, metavar="DIR")
    args = parser.parse_args()
    args.serialization_dir.mkdir(parents=True, exist_ok=True)
    reader = DatasetReader.by_name(CORPORA[args.corpus].reader)(language=CORPORA[args.corpus].language)
    sentences = [one for split in ("train", "dev") for one in read_sentences(reader, f"corpus://{args.corpus}/{split}")]
    data = args.serialization_dir / f"{args.corpus}-train-dev.conll"
    alone = {"vectors": named_vectors(args.vectors)} if args.vectors else {}
    known = {run.key: run for run in read_results([args.results])}
    for seed in map(int, args.seeds.split(",")):
        for system in args.systems.split(","):
            chosen = known.get((args.corpus, json.dumps(alone, sort_keys=True), system, seed))
            if chosen is None:
                parser.error(
                    f"{args.results} has no run of {system}, seed {seed}, on the training split: see roseq ablation"
                )
            result = replace(chosen, settings={**alone, "trained_on": "train and dev"})
            if result.key in known:
                continue
            components, epochs = ",".join(SYSTEMS[system].components), chosen.best_epoch + 1
            config = config_on(data, sentences, args.corpus, components, args.vectors, epochs, seed)
            del config["validation_data_path"]
            run = args.serialization_dir / f"{args.corpus}-{system}-{seed}"
            with safer_functions():
                train(Params(config), run)
            archive, trained = load_archive(run), epochs_of(run)
            test = held_out(
                archive.validation_dataset_reader, f"corpus://{args.corpus}/test", partial(tag_instances, archive)
            )
            result = replace(
                result,
                test=test,
                test_f1=test.overall.f1,
                epochs=len(trained),
                seconds=seconds_of(trained),
                train_entities=dict(
                    Counter(tag[2:] for one in sentences for tag in one.tags if tag.startswith(("B-", "U-")))
                ),
                revision=revision(),
                versions=versions(),
            )
            keep_result(args.results, result)
            print(f"{args.corpus} {system} seed {seed}: {chosen.test_f1:.2f} → {result.test_f1:.2f}", flush=True)


if __name__ == "__main__":
    main()
