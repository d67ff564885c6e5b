/**
 * Dataset in, Dataset out: what a job is made of, with no file read or written here.
 *
 * <p>The tour follows a row. Its columns get the names they will have in the output
 * ({@link dev.paloverde.pipelines.CarriedColumns}: results keep theirs, and what collides moves aside). A
 * {@link dev.paloverde.pipelines.PromptTemplate} may make its text of several of them.
 * {@link dev.paloverde.pipelines.Selection} decides by what it holds whether it belongs to a sample.
 * {@link dev.paloverde.pipelines.Resume} finds out whether an earlier run has done it, as one of a multiset of rows known
 * by their content. {@link dev.paloverde.pipelines.UnitPlan} gives it to a unit of work, of a size that is cheap to lose.
 * And a {@link dev.paloverde.pipelines.Step}, of which {@link dev.paloverde.pipelines.TextStep} is the one that runs a
 * model, adds its results.
 *
 * <p>Training corpora have rooms of their own: {@link dev.paloverde.pipelines.corpus} cleans and deduplicates documents,
 * {@link dev.paloverde.pipelines.interleaved} is their form where they are more than text, and
 * {@link dev.paloverde.pipelines.packing} makes sequences of them. {@link dev.paloverde.pipelines.image} reads, checks and
 * deduplicates images.
 *
 * <p>{@link dev.paloverde.pipelines.InputCount} looks at all of the input once, before the work begins.
 */
package dev.paloverde.pipelines;
