// `best` on WNUT-2016 as one tagger, at the speed of one: it learns from the gold tags and from the probabilities that
// the three of best_wnut16.jsonnet give for the same sentences and variants. They are trained first, on the same vectors.
//
//   roseq train training_configs/best_wnut16.jsonnet -s runs/best_wnut16
//   roseq train training_configs/distilled_wnut16.jsonnet -s runs/distilled_wnut16
local teacher = 'runs/best_wnut16';

local corpus = import 'lib/corpus.libsonnet';

local vectors = 'glove-6b-100d';  // or 'learned', or (import 'lib/vectors.libsonnet').fixed(file, dim)
corpus('wnut16', vectors, { ensemble: 1, calibrated: true, teacher: teacher }, best=true)
