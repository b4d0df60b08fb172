// The corpora of the catalogue (catalogue.json) as configs need them. `best` has the switches of roseq.libsonnet that
// best_*.jsonnet add to the paper's; the news corpora, whose epochs are long, have fewer epochs and batches with less padding.
local catalogue = import 'catalogue.json';

local best = { ensemble: 3, augmented: true, bucketed: false, num_epochs: 35, patience: 10 };
{
  [name]: {
    local corpus = catalogue.corpora[name],
    reader: corpus.reader,
    language: corpus.language,
    types: corpus.types,
    shapes: corpus.shapes,
    vectors: corpus.vectors,
    train: 'corpus://' + name + '/train',
    dev: 'corpus://' + name + '/dev',
    best: best + std.get(corpus, 'best', {}),
  }
  for name in std.objectFields(catalogue.corpora)
}
