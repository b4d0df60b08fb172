"""The commands of `roseq`, by name, and where their parsers are: a command is imported when it is named."""

from importlib import import_module

from roseq_allennlp.commands.command import Command

OWN = {
    "ablation": "ablation.AblationCommand",
    "archive": "archive.ArchiveCommand",
    "calibrate": "calibrate.CalibrateCommand",
    "compare": "compare.CompareCommand",
    "convert": "convert.ConvertCommand",
    "corpora": "corpora.CorporaCommand",
    "finetune": "finetune.FinetuneCommand",
    "info": "info.InfoCommand",
    "init": "init.InitCommand",
    "label-weights": "label_weights.LabelWeightsCommand",
    "noise": "noise.NoiseCommand",
    "predict-ray": "predict_ray.PredictRayCommand",
    "report": "report.ReportCommand",
    "results": "results.ResultsCommand",
    "score": "score.ScoreCommand",
    "select": "select.SelectCommand",
    "serve": "serve.ServeCommand",
    "suspects": "suspects.SuspectsCommand",
    "vectors": "vectors.VectorsCommand",
}
"""Those that `allennlp` has too, once the package is imported."""

IN_PLACE = {
    "evaluate": "evaluate.EvaluateCommand",
    "predict": "predict.PredictCommand",
    "train": "train.TrainCommand",
}
"""Those that `allennlp` has of its own."""

OF_ALLENNLP = {
    "build-vocab": "of_allennlp.BuildVocabCommand",
    "cached-path": "of_allennlp.CachedPathCommand",
    "checklist": "of_allennlp.ChecklistCommand",
    "count-instances": "of_allennlp.CountInstancesCommand",
    "diff": "of_allennlp.DiffCommand",
    "find-lr": "of_allennlp.FindLearningRateCommand",
    "print-results": "of_allennlp.PrintResultsCommand",
    "push-to-hf": "of_allennlp.PushToHfCommand",
    "test-install": "of_allennlp.TestInstallCommand",
}
"""AllenNLP's, as they are."""

COMMANDS = {**OWN, **IN_PLACE, **OF_ALLENNLP}


def command(name: str) -> Command:
    """The command of that name in `COMMANDS`."""
    module, kind = COMMANDS[name].split(".")
    chosen: Command = getattr(import_module(f"roseq_allennlp.commands.parsers.{module}"), kind)()
    chosen.name = name
    return chosen
