/**
 * The form in which documents of text, pictures, films and actions are passed on: a list of typed segments.
 *
 * <p>The tour: {@link dev.paloverde.pipelines.interleaved.Segments} is the schema, and the only place that has it;
 * {@link dev.paloverde.pipelines.interleaved.SegmentKind} is what a segment can be, and
 * {@link dev.paloverde.pipelines.interleaved.Objective} which of them a model is to learn to produce; {@link
 * dev.paloverde.pipelines.interleaved.Action} reads the text of an action.
 */
package dev.paloverde.pipelines.interleaved;
