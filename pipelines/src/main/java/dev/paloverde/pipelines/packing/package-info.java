/**
 * Makes of documents what a model is trained on: sequences of exactly a context's length.
 *
 * <p>The tour: {@link dev.paloverde.pipelines.packing.Tokens} makes token ids of segments, a list of {@code Run}s that says
 * of what kind its positions are. {@link dev.paloverde.pipelines.packing.Mixture} decides how often each document is
 * taken. {@link dev.paloverde.pipelines.packing.Packing} does the rest: documents are cut into {@code Pieces}, pieces of one
 * length are ranked ({@code Ranks}), {@code BestFit} knows by length and rank which sequence a piece is in, {@code Shuffle}
 * where that sequence stands, and {@code Sequences} writes it. {@link dev.paloverde.pipelines.packing.FlopLedger} says
 * what training on it costs.
 *
 * <p>Nothing here depends on how rows are ordered or partitioned, and no task holds more than a document or a sequence.
 */
package dev.paloverde.pipelines.packing;
