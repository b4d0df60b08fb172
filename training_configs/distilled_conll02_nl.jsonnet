// `best` on CoNLL-2002 Dutch as one tagger, at the speed of one: it learns from the gold tags and from the probabilities that
// the three of best_conll02_nl.jsonnet give for the same sentences and variants. They are trained first, on the same vectors.
//
//   roseq train training_configs/best_conll02_nl.jsonnet -s runs/best_conll02_nl
//   roseq train training_configs/distilled_conll02_nl.jsonnet -s runs/distilled_conll02_nl
local teacher = 'runs/best_conll02_nl';

local corpus = import 'lib/corpus.libsonnet';

local vectors = 'learned';  // or 'fasttext-cc-nl', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('conll2002-nl', vectors, { ensemble: 1, calibrated: true, teacher: teacher }, best=true)
