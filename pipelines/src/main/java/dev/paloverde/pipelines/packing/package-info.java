/** Sequences of a context's length out of documents. */
package dev.paloverde.pipelines.packing;
