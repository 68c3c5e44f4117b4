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
// # Reviewers
//
// [DawidSkene] estimates, of overlapping labels, what the items' true labels are and how each reviewer confuses them. For advice only: errors that all make
// together it takes for the truth.
//
// # Drift
//
// [PSI] and [KolmogorovSmirnov] say whether one window of items differs from another: in the classes that the model gives, in its confidence, in the
// texts' lengths. Both come with what chance alone would do, which depends on how many items there are. Whether texts are about something else is more
// than they can tell.
//
// # Patterns
//
// [FindPatterns] looks for what stands out in corrections: labels confused, sources, queues and rules that differ from the rest, rules that change nothing,
// answers that the model cannot give. Each item weighs the inverse of the probability that it was reviewed, and of many comparisons only those are news that
// [BenjaminiHochberg] lets stand.
//
// # Calibration
//
// A model's score of 0.9 does not say that nine in ten such answers are right. [Fit] learns from people's answers what does: a temperature (C. Guo et al., On
// Calibration of Modern Neural Networks, ICML 2017), one number that makes all scores sharper or flatter, where there are few answers, and an isotonic
// regression where there are many. Reviewed items are no random sample of all items; each answer weighs by one over the probability with which its item
// was reviewed. [Measure] says how well confidences do, [Gain] whether it is chance that others do better: judge on items that the fit has not seen,
// [HeldOut] are.
package learn
