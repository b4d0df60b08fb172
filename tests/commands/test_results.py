import shutil


def test_a_page_is_filled(roseq, run, tmp_path):
    file, page = tmp_path / "results.jsonl", tmp_path / "page.md"
    file.write_text("".join(run(system, 1, 40.0).as_line() + "\n" for system in ("base", "roseq")))
    page.write_text("<!-- results: total --><!-- end -->")
    status, output, _ = roseq("results", file, "-o", page)
    assert (status, output) == (
        0,
        f"{page} has the results of 2 runs\n",
    ) and "2 runs, 0.0 CPU hours" in page.read_text()


def test_errors(roseq, tmp_path):
    (tmp_path / "results.jsonl").write_text("")
    for arguments, message in [
        ([tmp_path / "results.jsonl", "-o", tmp_path / "none.md"], "none.md: cannot be read"),
        ([tmp_path / "none.jsonl"], "none.jsonl: cannot be read"),
    ]:
        status, output, errors = roseq("results", *arguments)
        assert (status, output) == (1, "") and errors.startswith("roseq results: error: ") and message in errors


def test_the_page_of_this_project_is_that_of_its_results(roseq, repository, tmp_path):
    page = tmp_path / "results.md"
    shutil.copy(repository / "docs" / "results.md", page)
    assert roseq("results", *sorted((repository / "results").glob("*.jsonl")), "-o", page).status == 0
    assert page.read_text(encoding="utf-8") == (repository / "docs" / "results.md").read_text(encoding="utf-8")
    drawn, kept = (
        {file.name: file.read_bytes() for file in sorted((directory / "plots").iterdir())}
        for directory in (tmp_path, repository / "docs")
    )
    assert drawn == kept and len(kept) == 3
