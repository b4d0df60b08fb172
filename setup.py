"""Package metadata. The bounds are those AllenNLP 2.10.1 runs with on a current torch.

AllenNLP itself is not in `install_requires`: its own metadata asks for torch < 1.13, so no resolver puts it beside these
versions. It is installed unmodified with `pip install --no-deps allennlp==2.10.1` (see README.md).
"""

import re
import runpy
from pathlib import Path

from setuptools import find_packages, setup

ARROW = "pyarrow>=15"  # for Parquet and what Hugging Face's datasets save
RAY = "ray[data]>=2.44,<2.64"  # which will not take the restarts of an actor
GENSIM = "gensim>=4.3.3"
# MkDocs 2 takes no plugins and no theme of MkDocs 1; Material for MkDocs, which gets no new features, needs MkDocs 1.
DOCS = [
    "mkdocs>=1.6,<2",
    "mkdocs-material>=9.7,<10",
    "mkdocstrings[python]>=1.0,<2",
    # The last mkdocstrings for Python 3.10 fails with 12.
    "pymdown-extensions<12; python_version < '3.11'",
]
# import-linter 2.17 needs rich 14; cached_path needs rich below 14.
IMPORT_LINTER = "import-linter==2.5.2"


def description() -> str:
    """README.md for a package index, which has none of the files it links to: such a link becomes its text and the path."""

    def without_link(link: re.Match) -> str:
        text, target = link.groups()
        return text if target.startswith("#") or Path(target).name in text else f"{text} (`{target}`)"

    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    return re.sub(r"\[([^\]]+)\]\((?!\w+:)([^)\s]+)\)", without_link, readme)


setup(
    name="roseq-allennlp",
    version=runpy.run_path(str(Path(__file__).with_name("roseq_allennlp") / "version.py"))["VERSION"],
    description="Robust named entity recognition for AllenNLP: label-aware CRF, focal loss, adversarial training",
    long_description=description(),
    long_description_content_type="text/markdown",
    author="The roseq-allennlp developers",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    project_urls={"Paper": "https://doi.org/10.1109/TNNLS.2019.2911236"},
    keywords=[
        *("named entity recognition", "sequence labeling", "conditional random field", "adversarial training"),
        *("focal loss", "noisy text", "allennlp", "nlp"),
    ],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Text Processing :: Linguistic",
        "Typing :: Typed",
    ],
    # The shipped configs, and the data of `roseq init` without files, stand at the top of the repository, and inside the
    # package where that is installed.
    packages=[
        *find_packages(include=["roseq_allennlp", "roseq_allennlp.*"]),
        *("roseq_allennlp.training_configs", "roseq_allennlp.training_configs.lib", "roseq_allennlp.fixtures.wnut17"),
    ],
    py_modules=["roseq_spacy"],  # beside the package, whose import imports AllenNLP
    package_dir={
        "roseq_allennlp.training_configs": "training_configs",
        "roseq_allennlp.fixtures.wnut17": "fixtures/wnut17",
    },
    package_data={
        "roseq_allennlp": ["py.typed", "evaluation/templates/*", "_serving/page.html"],
        "roseq_allennlp.training_configs": ["*.jsonnet"],
        "roseq_allennlp.training_configs.lib": ["*.json", "*.libsonnet"],
        "roseq_allennlp.fixtures.wnut17": ["*"],
    },
    # All these have wheels for 3.14, or are built as on others; but gensim has none, and AllenNLP has not run on it yet.
    python_requires=">=3.10,<3.14",
    install_requires=[
        "torch>=2.6",
        "torchvision>=0.21",
        # 4.50 breaks AllenNLP's import (`transformers.AdamW`), and 4.44 its own transformer tokenizer, in place of which
        # there is `transformer`; on Python 3.13 ones before 4.45 have no wheels.
        "transformers>=4.36,<4.50; python_version < '3.13'",
        "transformers>=4.45,<4.50; python_version >= '3.13'",
        "huggingface_hub>=0.24,<1.0",
        "cached_path>=1.6.3,<2",
        "filelock>=3.13,<4",
        "spacy>=3.8,<4",
        "numpy>=1.26",
        "fairscale==0.4.6",
        "tensorboardX>=2.6",
        "protobuf>=3.20",
        "nltk>=3.6.5",
        "h5py>=3.6",
        "scikit-learn>=1.0.1",
        "scipy>=1.7.3",
        "lmdb>=1.2.1",
        "more-itertools>=8.12",
        "termcolor>=1.1.0",
        "dill>=0.3.4",
        "base58>=2.1.1",
        "typer>=0.4.1",
        "jsonnet>=0.20",
        "requests>=2.28",
        "tqdm>=4.62",
        # evaluation and reports
        "nervaluate>=1.2; python_version >= '3.11'",
        "rich>=13,<14",
        "matplotlib>=3.8",
        "jinja2>=3.1",
        "safetensors>=0.4",
        "setuptools>=77.0.3",
    ],
    entry_points={
        "console_scripts": ["roseq=roseq_allennlp.__main__:main"],
        "spacy_factories": ["roseq=roseq_spacy:make_roseq"],
    },
    extras_require={
        "hf": [ARROW],
        "ray": [RAY],
        "docs": DOCS,
        "vectors": [GENSIM],
        "serve": ["fastapi>=0.115", "uvicorn>=0.30", "prometheus-client>=0.20"],
        "notebook": ["nbclient>=0.10", "ipykernel>=6.29"],  # runs docs/notebooks
        # conlleval, seqeval and playwright: what the tests hold scores and reports against.
        "dev": [
            "ruff",
            "mypy>=1.15",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "hypothesis>=6.100",
            "conlleval>=0.2",
            "seqeval>=1.2.2",
            "playwright>=1.49",
            ARROW,
            IMPORT_LINTER,
            RAY,
        ],
    },
)
