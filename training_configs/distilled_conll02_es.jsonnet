// `best` on CoNLL-2002 Spanish as one tagger, at the speed of one: it learns from the gold tags and from the probabilities that
// the three of best_conll02_es.jsonnet give for the same sentences and variants. They are trained first, on the same vectors.
//
//   roseq train training_configs/best_conll02_es.jsonnet -s runs/best_conll02_es
//   roseq train training_configs/distilled_conll02_es.jsonnet -s runs/distilled_conll02_es
local teacher = 'runs/best_conll02_es';

local corpus = import 'lib/corpus.libsonnet';

local vectors = 'learned';  // or 'fasttext-cc-es', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('conll2002-es', vectors, { ensemble: 1, calibrated: true, teacher: teacher }, best=true)
