/**
 * Jinja, as far as chat templates go. Models say how a conversation is written in a template for Python's Jinja2, as
 * transformers sets it up: {@code trim_blocks} and {@code lstrip_blocks} on, {@code break} and {@code continue}, a
 * {@code tojson} that does not escape HTML. What a template prints must be the same here to the last space, or a model
 * reads text it was not trained on; so values print, compare, slice and split as Python's do.
 *
 * <p>A {@link dev.paloverde.gpu.model.jinja.Lexer} cuts the source into tokens and settles white space; a {@link
 * dev.paloverde.gpu.model.jinja.Parser} makes {@link dev.paloverde.gpu.model.jinja.Statement}s and {@link
 * dev.paloverde.gpu.model.jinja.Expression}s of them; a {@link dev.paloverde.gpu.model.jinja.Renderer} runs those over
 * {@link dev.paloverde.gpu.model.jinja.Values}, with the methods, filters and tests that are listed in {@link
 * dev.paloverde.gpu.model.jinja.Methods}, {@link dev.paloverde.gpu.model.jinja.Filters} and {@link
 * dev.paloverde.gpu.model.jinja.Predicates}.
 *
 * <p>A template is data from anywhere. It sees the variables it is given and nothing of Java; it cannot change them; and
 * all it does is paid for from a {@link dev.paloverde.gpu.model.jinja.Budget}, so that it ends.
 *
 * <p>Not here, since no chat template has need of it: inheritance and imports, {@code call} and {@code filter} blocks,
 * {@code with}, autoescaping, recursive loops, asynchronous anything, and the date.
 */
package dev.paloverde.gpu.model.jinja;
