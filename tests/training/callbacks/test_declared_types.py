import json

import pytest

TRAIN = "Anna\tB-person\n\nOslo\tB-locaton\nis\tO\n\nIt\tB-Creative-Work\n\n"


@pytest.mark.parametrize("labels", ["'locaton' ('location' is close)", ""])
def test_undeclared_types_of_the_training_data(roseq, tmp_path, labels):
    """Those of the development data, which the vocabulary has here too, are left alone."""
    (tmp_path / "train").write_text(
        TRAIN if labels else TRAIN.replace("locaton", "location").replace("Creative-Work", "product")
    )
    (tmp_path / "dev").write_text("x\tB-animal\n\n")
    overrides = {
        **{"train_data_path": f"{tmp_path}/train", "validation_data_path": f"{tmp_path}/dev"},
        **{"datasets_for_vocab_creation": ["train", "validation"], "trainer.num_epochs": 1, "model.tau": None},
        "trainer.callbacks": [
            {"type": "declared_types", "types": ["person", "location", "group", "creative-work", "product"]}
        ],
    }
    result = roseq("train", "training_configs/fixture.jsonnet", "-s", tmp_path / "run", "-o", json.dumps(overrides))
    assert result.status == 0, result.errors
    log = (tmp_path / "run" / "out.log").read_text()
    warnings = [line for line in log.splitlines() if "that are not declared" in line]
    assert len(warnings) == bool(labels) and all(labels in line and "animal" not in line for line in warnings)
    assert all("'Creative-Work' ('creative-work' is close)" in line for line in warnings)
