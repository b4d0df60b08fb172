// `best` on CoNLL-2003 English as one tagger, at the speed of one: it learns from the gold tags and from the probabilities that
// the three of best_conll03_en.jsonnet give for the same sentences and variants. They are trained first, on the same vectors.
//
//   roseq train training_configs/best_conll03_en.jsonnet -s runs/best_conll03_en
//   roseq train training_configs/distilled_conll03_en.jsonnet -s runs/distilled_conll03_en
local teacher = 'runs/best_conll03_en';

local corpus = import 'lib/corpus.libsonnet';

local vectors = 'glove-6b-100d';  // or 'learned', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('conll2003-en', vectors, { ensemble: 1, calibrated: true, teacher: teacher }, best=true)
