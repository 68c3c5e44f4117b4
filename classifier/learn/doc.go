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
//
// # Thresholds
//
// [Advise] finds the lowest threshold of which can be promised, with a stated confidence, that at most a stated share (the risk) of what is accepted from it on is
// wrong. It is Learn then Test (A. N. Angelopoulos et al., Learn then Test: Calibrating Predictive Algorithms to Achieve Risk Control, Annals of Applied Statistics
// 19, 2025) with fixed-sequence testing (P. Bauer, Multiple testing in clinical trials, Statistics in Medicine 10, 1991): thresholds are tried from the strictest
// down, each by an exact binomial test in whole numbers at the whole level, and the first that does not pass ends the walk. A wrong promise needs the first
// threshold whose risk is too high to pass its test, so its chance is one less the confidence at most, however many thresholds there are.
//
// The test needs a random sample of what could be accepted. Reviewed items are none: below the threshold people see all, above it a sample. So each is kept with a
// probability that makes all alike that came at one time, the rate at which sure ones were sampled then over that with which it was reviewed, decided by its id. A rate
// that changes changes how many are kept of a time, and not which: as long as it does not follow what people answered, and items are drawn alike, those kept are
// drawn alike too. Where the walk begins is decided by the confidences of items outside of that sample, which know nothing of its labels, at the strictest
// threshold with so many that a few errors are forgiven there; begun where the sample itself looks good, the promise would be worth less. Items without an answer
// count as wrong.
//
// [Certify] chooses the rate so that the sample is large enough by a day. It does not look at answers, only at how many items came and how many were drawn: a rate
// that fell once the test passes would end the sample where it happens to look good, which is testing until it passes (P. Armitage, C. K. McPherson and B. C. Rowe,
// Repeated Significance Tests on Accumulating Data, Journal of the Royal Statistical Society A 132, 1969), and the promise would be broken several times as often as
// it says. So the size of the sample is chosen beforehand, for a walk that forgives some errors, and what people answer decides only whether it passes.
//
// It holds for items as those of the sample were: drawn alike and independently, from the same sources, model and calibration; and as far as reviewers are right.
// Where items change over time, times of a higher rate weigh more in it.
// It is one of the procedure, not of a result: where data rarely suffice for any promise, a greater part of the few that are made is wrong. While a promise
// runs, [LowerAlways] tells whether what came since contradicts it, however often one looks. The risk and the confidence are chosen before looking: who asks
// with several and takes the answer they like has no promise, and a year of weekly advices does not hold together, each holds on its own.
//
// # Cascades
//
// [AdviseCascade] finds the lowest score from which on a small model can answer in a large one's stead, by the same walk. What is tested is whether both say the same,
// which is known of every text, so that it takes nobody's labels and no weights; a tenth of the texts is kept aside to decide where the walk begins. The promise is
// about the large model's answers. How often these are right it does not say.
//
// # Rubber-stamping
//
// [Pattern.Signs] says whether somebody's decisions look as if they had not been read: made faster than anybody reads, and, by [Fisher]'s exact test,
// with far fewer corrections than the others make, or with far more known answers missed.
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
