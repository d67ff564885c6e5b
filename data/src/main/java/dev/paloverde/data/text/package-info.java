/**
 * The sample corpus in words. One {@link dev.paloverde.data.text.World} of animals, plants, places and people stands
 * behind every document, so that what one document says no other contradicts; {@link dev.paloverde.data.text.Facts}
 * turns that world into questions with answers. Each {@link dev.paloverde.data.text.TextSource} has an author that
 * simulates something small (a journey, a notebook, a sum, a scene, a drive) and words it with
 * {@link dev.paloverde.data.text.Phrases}. All choices come from {@link dev.paloverde.data.text.Draws}: the text at
 * (source, seed, index) is always the same.
 *
 * <p>{@link dev.paloverde.data.text.EvaluationSets} makes prompts and multiple choices from the same world.
 */
package dev.paloverde.data.text;
