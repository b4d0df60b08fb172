// RoSeq with all three components on the sentences of fixtures/, in seconds, from the root of the repository: `make demo`.
//
//   roseq train training_configs/fixture.jsonnet -s runs/fixture
local corpora = import 'lib/corpora.libsonnet';
local roseq = import 'lib/roseq.libsonnet';
local vectors = import 'lib/vectors.libsonnet';

roseq(
  corpora.wnut17 {
    train: 'fixtures/wnut17/wnut17train.conll',
    dev: 'fixtures/wnut17/emerging.dev.conll',
  },
  vectors.fixed('fixtures/glove/glove.6B.100d.subset.txt.gz', 100),
  { num_epochs: 40 },
)
