package dev.paloverde.udfs.text;

import dev.paloverde.gpu.decode.Engine;
import dev.paloverde.gpu.decode.RowKey;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import java.util.concurrent.CompletableFuture;

/**
 * One operation on one row: prepare it, ask the engine, write the answer.
 *
 * @param <Q> what the engine is asked
 * @param <A> what the engine answers
 */
interface RowFunction<Q, A> extends RowAnswers<Q, A> {
    /** {@return the function of an operation} */
    static RowFunction<?, ?> of(Operation operation, TextModel model, Settings settings) {
        return switch (operation) {
            case GENERATE -> new GenerateRows(model, settings);
            case SCORE -> new ScoreRows(model, settings);
            case CHOOSE -> new ChooseRows(model, settings);
            case EMBED -> new EmbedRows(model, settings);
            case EMBED_IMAGE -> throw new IllegalArgumentException(operation + " reads no text");
        };
    }

    /** Hands a row to the engine; blocks while too much is waiting. */
    CompletableFuture<A> submit(Engine engine, RowKey key, Q question);
}
