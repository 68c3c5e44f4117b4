// Package learn is statistics over what reviewers say. It is pure: no clock, no I/O, and chance only from a seed that the caller gives.
//
// # Agreement
//
// [Agreement] says how far several reviewers of the same items agree, for labels without an order, any number of reviewers, and items that not
// everybody has seen:
//
//   - Raw agreement: the share of agreeing pairs of reviewers, for each item, and its mean over the items. It counts what chance gives, too.
//   - Krippendorff's alpha, which compares disagreement with what it would be if the labels were dealt out at random: K. Krippendorff,
//     Computing Krippendorff's Alpha-Reliability, University of Pennsylvania, 2011.
//   - Gwet's AC1, which keeps its head where nearly all items have one label and alpha is low although people agree: K. L. Gwet, Computing
//     inter-rater reliability and its variance in the presence of high agreement, British Journal of Mathematical and Statistical Psychology
//     61, 2008. Its categories are the labels that somebody gave.
//
// Items with one verdict say nothing of agreement; as published, alpha leaves them out, and AC1 lets them count for how common a label is.
//
// The intervals are percentile bootstrap intervals over items, as A. Zapf et al. recommend for nominal data (Measuring inter-rater reliability
// for nominal data, BMC Medical Research Methodology 16:93, 2016). They treat the items as a sample, and the reviewers as given.
//
// # Heads
//
// [TrainHead] fits a softmax head, multinomial logistic regression with importance weights, to texts' embeddings: the last layer of a model whose
// others stay as they are. Its L2 strength is the one with the smallest weighted log loss in stratified, seeded cross-validation. [ScoreOf] says how
// good a model is on items that it was not fitted to, for which [HeldOut] keeps a fifth of them apart.
//
// [Compare] says whether a candidate is better than the incumbent on the same items: McNemar's exact test, and Tango's interval for the difference
// of paired proportions.
package learn
