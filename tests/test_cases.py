"""Each case of cases.py, by its content there and by the file of its name beside the repository, where there is one."""

import pytest

from tests.cases import CASES, Case, verdict, written

NAMES = [f"{case.file}-{number}" for number, case in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_by_content(case: Case, tmp_path):
    holds, given = verdict(case, written(case, tmp_path))
    assert holds, given


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_by_file(case: Case, repository):
    path = repository.parent / "shared" / "cases" / case.file
    if not path.is_file():
        pytest.skip("the file is not here")
    holds, given = verdict(case, path)
    assert holds, given
