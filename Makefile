# make demo   installs into .venv, trains on fixtures/, evaluates, tags three sentences
# make test   installs into .venv, checks format, lint, types and layers, runs the tests, which build the site too
# make docs   builds the documentation site into build/site
# make bench  installs the other systems into .venv-bench, measures side by side, writes benchmarks/results/
# make gpu    runs benchmarks/gpu.sh, everything there is to learn from a GPU; installs nothing
# make fuzz   runs the properties of tests/test_*properties.py on FUZZ inputs, changes 2 000 archives at random, and has 8 threads
#             tag for 60 s; counts in runs/fuzz.txt
# make mutants  changes one thing in the code at a time and looks whether a test fails; hours, goes on where it was stopped
# make lock   resolves requirements.txt anew, and build/pylock.toml, which releases publish
#
# TORCH_INDEX=https://…  takes torch and torchvision from another index (CPU-only wheels, another CUDA)
# PYTHON=python3.12      makes .venv with another Python (3.10 to 3.13)
# ONLY="crf viterbi"     what `make bench` measures; BENCH_ARGS="--device cuda" and others: benchmarks/README.md
# GPU_ARGS="--device cpu"     arguments of benchmarks/gpu.sh
# ONLY="nn data"         what `make mutants` changes, of the parts in tests/mutants/run.py; MUTANTS_ARGS=--again: survivors too

PYTHON ?= python3
TORCH_INDEX ?=
BIN := .venv/bin
DEMO := runs/demo
PLUGIN := --include-package roseq_allennlp
# More threads than idle cores make a model of this size many times slower.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test docs bench gpu fuzz mutants install lock

install: .venv/installed

.venv/installed .venv-bench/installed: %/installed: requirements.txt setup.py
	test -x $*/bin/python || $(PYTHON) -m venv $*
	$*/bin/python -m pip install --quiet --upgrade pip
ifeq ($(TORCH_INDEX),)
	$*/bin/python -m pip install --quiet --no-deps -r requirements.txt
else
	$*/bin/python -m pip install --quiet --index-url $(TORCH_INDEX) $$(grep -E '^torch(vision)?==' requirements.txt)
	grep -vE '^(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z]+)==' requirements.txt > $*/requirements.txt
	$*/bin/python -m pip install --quiet --no-deps -r $*/requirements.txt
endif
	$*/bin/python -m pip install --quiet --no-deps -e .
	touch $@

.venv-bench/peers: .venv-bench/installed benchmarks/requirements.txt
	.venv-bench/bin/python -m pip install --quiet --no-deps -r benchmarks/requirements.txt
	touch $@

demo: install
	rm -rf $(DEMO) && mkdir -p runs
	@echo "Training on fixtures/wnut17, log in $(DEMO).log"
	@$(BIN)/roseq train training_configs/fixture.jsonnet -s $(DEMO) --file-friendly-logging \
	  > $(DEMO).log 2>&1 || { tail -n 40 $(DEMO).log; exit 1; }
	@echo "Evaluating on the test sentences"
	@$(BIN)/allennlp evaluate $(DEMO)/model.tar.gz fixtures/wnut17/emerging.test.annotated $(PLUGIN) \
	  --output-file $(DEMO)/test.json >> $(DEMO).log 2>&1 || { tail -n 40 $(DEMO).log; exit 1; }
	@echo "Tagging fixtures/sentences.jsonl"
	@$(BIN)/allennlp predict $(DEMO)/model.tar.gz fixtures/sentences.jsonl $(PLUGIN) --silent \
	  --output-file $(DEMO)/predictions.jsonl >> $(DEMO).log 2>&1 || { tail -n 40 $(DEMO).log; exit 1; }
	@$(BIN)/python fixtures/show.py $(DEMO)/test.json fixtures/sentences.jsonl $(DEMO)/predictions.jsonl

test: install .venv/docs .venv/tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile
	@PYTHON=$(BIN)/python OUT=runs/gpu-rehearsal benchmarks/gpu.sh --device cpu --quick

# In files of their own: the other requirements travel to machines with a GPU, as wheels.
.venv/docs: .venv/installed docs/site/requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps -r docs/site/requirements.txt
	touch $@

.venv/tests: .venv/installed tests/requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps -r tests/requirements.txt
	touch $@

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv-bench/peers
	@.venv-bench/bin/python -m benchmarks.run $(if $(ONLY),--only $(ONLY)) $(BENCH_ARGS)

gpu:
	@PYTHON=$(or $(wildcard $(BIN)/python),python3) benchmarks/gpu.sh $(GPU_ARGS)

FUZZ ?= 210000
fuzz: install
	ROSEQ_FUZZ=$(FUZZ) $(BIN)/python -m pytest -q tests/test_properties.py tests/test_format_properties.py tests/models/test_archive_mutations.py
	ROSEQ_STRESS=60 $(BIN)/python -m pytest -q tests/predictors/test_threads.py
	cat runs/fuzz.txt

.venv/mutmut: .venv/installed tests/mutants/requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps -r tests/mutants/requirements.txt
	touch $@

mutants: .venv/mutmut
	$(BIN)/python tests/mutants/run.py $(MUTANTS_ARGS) $(ONLY)

lock: install
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile setup.py --extra dev --universal --python-version 3.10 --no-header --no-annotate \
	  --quiet --output-file requirements.txt
	$(BIN)/uv pip compile setup.py --extra dev --extra docs --constraint requirements.txt --universal --python-version 3.10 \
	  --no-header --no-annotate --quiet | grep -vxFf requirements.txt > docs/site/requirements.txt
	$(BIN)/uv pip compile setup.py --extra dev --extra vectors --extra serve --extra notebook --constraint requirements.txt \
	  --universal --python-version 3.10 --no-header --no-annotate --quiet | grep -vxFf requirements.txt > tests/requirements.txt
	mkdir -p build
	echo "allennlp==2.10.1" | $(BIN)/uv pip compile setup.py - --override overrides.txt --constraint requirements.txt --universal \
	  --python-version 3.10 --no-header --no-annotate --quiet --output-file build/pylock.toml
	echo "allennlp==2.10.1" >> requirements.txt
