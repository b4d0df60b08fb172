import re

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.experiments import results_page
from roseq_allennlp.experiments.systems import SYSTEMS, TABLE_IV

BETTER = [[0, 1, 1, 1], [3, 1, 1, 1]]  # F1 100 where the others have 40


@pytest.fixture
def runs(run):
    base = [run("base", seed, 40.0, seconds=3600.0) for seed in (1, 2)]
    return base + [run("roseq", seed, 100.0, counts=BETTER, seconds=3600.0) for seed in (1, 2)]


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_gains(runs):
    rows = cells(results_page.gains(runs))
    by_name = {tuple(row[:2]): row for row in rows[2:]}
    row = by_name["wnut17", "RoSeq Model"]
    assert row[2:5] == ["2", "110.00 ± 0.00", "100.00 ± 0.00"] and row[6:] == ["43.03", "+3.91", "6 of 9", "60.00"]
    low, high = map(float, re.fullmatch(r"\+60.00 \((.*) to (.*)\)", row[5]).groups())
    assert 0 <= low < 60 < high <= 100
    assert by_name["conll2003-en", "RoSeq Model"][3:8] == ["not measured", "not measured", "", "91.42", "+1.09"]
    assert len(rows) == 2 + 2 * len(CORPORA)


def test_only_all_of_table_iv_is_an_ablation(run, runs):
    assert results_page.ablations(runs) == ""
    part = {"sentences": 4000}
    parts = [run(system, seed, 50.0, "conll2002-nl", part) for seed in (1, 2) for system in SYSTEMS]
    text = results_page.ablations([*runs, *parts, run("base", 3, 0.0, "conll2002-nl", part)])
    assert text.startswith("conll2002-nl, its first 4000 training sentences:\n\n| ")
    rows = cells(text)
    assert [row[0] for row in rows[2:]] == [SYSTEMS[system].title for system in TABLE_IV]
    assert {row[1] for row in rows[2:]} == {"2"}  # the seeds that all have
    assert rows[3][5:7] == ["85.61", "+0.38"]


def test_vectors(run, runs):
    """Runs with other vectors than the corpus's, against the base model with the same ones, and the paper's RoSeq."""
    frozen, tuned = {"vectors": "frozen:x/y"}, {"vectors": "tuned:x/y", "trainer.num_epochs": 9}
    encoder = [run("base", 1, 40.0, settings=frozen), run("roseq", 1, 100.0, settings=frozen, counts=BETTER)]
    other = [run("roseq", 1, 50.0, settings=tuned), run("token_classifier", 1, 44.0, settings=tuned)]  # a peer
    part = [run("roseq", 1, 50.0, settings={**frozen, "sentences": 3})]  # in `sizes`
    rows = cells(results_page.vectors([*runs, *encoder, *other, *part]))[2:]
    assert [row[:6] for row in rows] == [
        ["wnut17", "frozen:x/y", "Base Model", "", "1", "50.00"],
        ["wnut17", "frozen:x/y", "RoSeq Model", "", "1", "110.00"],
        ["wnut17", "tuned:x/y", "RoSeq Model", '`"trainer.num_epochs": 9`', "1", "60.00"],
    ]
    assert [row[6] for row in rows] == ["40.00", "100.00", "50.00"]
    assert rows[1][7].startswith("+60.00 (") and [rows[i][7] for i in (0, 2)] == ["", ""]
    assert [row[8:] for row in rows[:2]] == [["-3.03", "6 of 9", "1.00"], ["+56.97", "6 of 9", "1.00"]]
    for table in ("gains", "labels", "noise", "sizes"):
        assert results_page.TABLES[table]([*runs, *encoder, *other]) == results_page.TABLES[table](runs)


def test_peers(run, runs):
    """Each beside RoSeq on the same vectors, or on the frozen features of the encoder that it trains."""
    fixed, frozen = {"vectors": "fixed:x.gz:2"}, {"vectors": "frozen:x/y"}
    ours = [run("roseq", 1, 100.0, settings=frozen, counts=BETTER), run("best", 1, 90.0, settings=frozen)]
    of_others = [
        run("spacy", 1, 40.0, seconds=120.0),
        run("crf_tagger", 1, 40.0),
        run("token_classifier", 1, 40.0, settings={"vectors": "tuned:x/y", "epochs": 3}),
        run("flair", 1, 40.0, settings=fixed),
    ]
    rows = cells(results_page.peers([*runs, *ours, *of_others]))[2:]
    assert [row[:7] for row in rows] == [
        ["wnut17", "those of the config", "AllenNLP's crf_tagger", "1", "50.00", "40.00", "100.00 ± 0.00"],
        ["wnut17", "those of the config", "spaCy's tok2vec + ner", "1", "50.00", "40.00", "100.00 ± 0.00"],
        ["wnut17", "tuned:x/y", "token classifier", "1", "50.00", "40.00", "100.00"],
        ["wnut17", "fixed:x.gz:2", "Flair's BiLSTM-CRF", "1", "50.00", "40.00", ""],
    ]
    assert [row[7].partition(" ")[0] for row in rows] == ["+60.00", "+60.00", "+60.00", ""]
    assert [row[8:] for row in rows[:2]] == [["6 of 9", "1.00"], ["6 of 9", "2.00"]]
    for table in ("gains", "vectors", "labels", "noise", "sizes"):
        assert results_page.TABLES[table]([*runs, *ours, *of_others]) == results_page.TABLES[table]([*runs, *ours])


def test_train_and_dev(run, runs):
    """Beside the runs on the training split alone with the same seeds and vectors, and the base model trained as they are."""
    both, frozen = {"trained_on": "train and dev"}, {"vectors": "frozen:x/y"}
    trained = [run("base", 1, 40.0, settings=both), run("roseq", 1, 100.0, settings=both, counts=BETTER)]
    other = [run("base", 1, 100.0, settings={**both, **frozen}, counts=BETTER), run("base", 1, 40.0, settings=frozen)]
    rows = cells(results_page.train_and_dev([*runs, *trained, *other]))[2:]
    assert [row[1:6] for row in rows] == [
        ["those of the config", "Base Model", "1", "40.00", "40.00"],
        ["those of the config", "RoSeq Model", "1", "100.00", "100.00"],
        ["frozen:x/y", "Base Model", "1", "40.00", "100.00"],
    ]
    assert [row[6].partition(" ")[0] for row in rows] == ["+0.00", "+0.00", "+60.00"]
    assert [row[7].partition(" ")[0] for row in rows] == ["", "+60.00", ""]
    for table in ("gains", "vectors", "labels", "noise", "sizes"):
        assert results_page.TABLES[table]([*runs, *trained]) == results_page.TABLES[table](runs)


def test_effects_are_of_the_systems_with_a_component_less_those_without(run):
    assert len(cells(results_page.effects([run("base"), run("roseq")]))) == 2  # not all of Table IV
    with_it = {system for system in TABLE_IV if system == "roseq" or "lacrf" in system}
    better = [run(system, seed, 100.0, counts=BETTER) for system in with_it for seed in (1, 2)]
    others = [run(system, seed, 40.0) for system in set(TABLE_IV) - with_it for seed in (1, 2)]
    rows = [row[1:] for row in cells(results_page.effects(better + others))[2:]]
    assert rows[0][:3] == ["LACRF", "8", "+60.00"] and rows[0][3].startswith("+60.00 (")
    assert rows[0][4:] == ["+66.67", "+50.00"]  # precision 1 of 3 and 2 of 2, recall 1 of 2 and 2 of 2
    for row, name in zip(rows[1:], ("FL", "AT"), strict=True):
        assert row[:3] == [name, "8", "+0.00"] and row[4:] == ["+0.00", "+0.00"]


def test_labels_are_by_frequency_in_training(runs):
    rows = cells(results_page.labels(runs))
    assert [row[1] for row in rows[2:]] == ["group", "person"]
    assert rows[3] == ["wnut17", "person", "7", "2", "40.00", "100.00", "+60.00", ""]


def test_noise(runs):
    rows = cells(results_page.noise(runs))
    assert rows[2:] == [
        ["wnut17", "0 %", "40.00", "100.00", "+60.00", ""],
        ["wnut17", "10 %", "30.00", "30.00", "+0.00", ""],
    ]


def test_best_stands_beside_the_two(run, runs):
    runs = [*runs, run("best", 1, 100.0, counts=BETTER), run("best", 1, 40.0, "wnut16")]
    assert [row[-1] for row in cells(results_page.noise(runs))[2:]] == ["100.00", "30.00"]
    assert cells(results_page.labels(runs))[3][-2:] == ["+60.00", "100.00"]


def test_sizes(run, runs):
    assert len(cells(results_page.sizes(runs))) == 2  # one size is none
    part = [run(system, 1, 20.0, settings={"sentences": 3}) for system in ("base", "roseq")]
    other = [run(system, 1, 20.0, settings={"trainer.patience": 3}) for system in ("base", "roseq")]
    rows = cells(results_page.sizes([*runs, *part, *other]))
    assert [row[1] for row in rows[2:]] == ["first 3", "all"] and rows[2][6].startswith("+0.00")


def test_tuning_shows_development_scores_only(run, runs):
    tried = [run("roseq", seed, None, settings={"model.tau": 1}, dev_f1=115.0) for seed in (1, 2)]
    part, of_part = {"sentences": 3}, {"sentences": 3, "model.tau": 1}
    tried += [run("base", 1, 20.0, settings=part), run("base", 1, None, settings=of_part, dev_f1=31.0)]
    tried += [run("base", 3, None, settings={"a": "b"}, dev_f1=1.0), run("best", 1, None, settings=part, dev_f1=2.0)]
    other = {"vectors": "fixed:a:100"}
    tried += [run("base", 1, 70.0, settings=other), run("base", 1, None, settings={**other, "c": 1}, dev_f1=82.5)]
    newer = {"config": "f00"}
    tried += [
        run("roseq", 1, None, settings=settings, dev_f1=f1)
        for settings, f1 in ((newer, 60.0), ({**newer, "d": 2}, 63.0))
    ]
    rows = cells(results_page.tuning([*runs, *tried]))
    assert rows[2:] == [
        ["wnut17", "Base Model", '`"a": "b"`', "1", "1.00", ""],  # its seed has no run of the shipped config
        ["wnut17", "Base Model", '`"c": 1, "vectors": "fixed:a:100"`', "1", "82.50", "+2.50"],
        ["wnut17", "Base Model", '`"model.tau": 1, "sentences": 3`', "1", "31.00", "+1.00"],
        ["wnut17", "best", '`"sentences": 3`', "1", "2.00", ""],  # nothing to compare it with
        ["wnut17", "RoSeq Model", '`"config": "f00", "d": 2`', "1", "63.00", "+3.00"],
        ["wnut17", "RoSeq Model", '`"config": "f00"`', "1", "60.00", ""],  # a reference itself
        ["wnut17", "RoSeq Model", '`"model.tau": 1`', "2", "115.00 ± 0.00", "+5.00"],
    ]


def test_total(runs):
    assert results_page.total(runs).startswith("4 runs, 4.0 CPU hours")


def test_sizes_of_other_vectors_are_rows_of_their_own(run, runs):
    data = [{"vectors": "fixed:a:100"}, {"vectors": "fixed:a:100", "sentences": 3}, {"vectors": "fixed:b:100"}]
    other = [run(system, 1, 30.0, settings=settings) for system in ("base", "roseq") for settings in data]
    rows = cells(results_page.sizes([*runs, *other]))[2:]
    assert [row[:2] for row in rows] == [["wnut17, fixed:a:100", "first 3"], ["wnut17, fixed:a:100", "all"]]


def test_a_page_is_built_again_and_again(run, runs, tmp_path):
    page = "# Results\n\n<!-- results: total -->\nold\n<!-- end -->\n\nText <!-- plot: noise --><!-- end -->."
    built = results_page.build(page, runs, tmp_path)
    assert (
        "old" not in built and "4 runs" in built and built.startswith("# Results") and built.endswith("<!-- end -->.")
    )
    assert "![Test F1 as more of the words are mistyped, by corpus and system](plots/noise.svg)\n<!-- end -->" in built
    picture = (tmp_path / "plots" / "noise.svg").read_bytes()
    assert results_page.build(built, runs, tmp_path) == built
    assert (tmp_path / "plots" / "noise.svg").read_bytes() == picture
    assert "2 runs" in results_page.build(built, runs[:2], tmp_path)
    with pytest.raises(ConfigurationError, match="there is no such table; known are gains, "):
        results_page.build(page.replace("total", "totals"), runs, tmp_path)
    with pytest.raises(ConfigurationError, match="there is no such plot; known are gains, noise, sizes"):
        results_page.build(page.replace("plot: noise", "plot: total"), runs, tmp_path)
    with pytest.raises(ConfigurationError, match="The page has no `<!--"):
        results_page.build("# Results", runs, tmp_path)
    with pytest.raises(ConfigurationError, match="no place for runs of \\['lacrf', 'wnut18'\\]; it has conll2002-nl, "):
        results_page.build(page, [*runs, run("lacrf", corpus="wnut18")], tmp_path)
