/**
 * What a model does with texts, as functions over batches.
 *
 * <p>The tour: {@link dev.paloverde.udfs.text.TextFunction} says what goes in and what comes out, and opens a
 * {@code TextRun} in each task. That one reads rows, hands them to a {@code RowFunction} ({@code GenerateRows},
 * {@code ScoreRows}, {@code ChooseRows}, {@code EmbedRows}: the semantics of each operation are there and nowhere else),
 * and writes the answers. {@code TextEngine} is the task's hold on the executor's shared engine, {@code EngineMeter}
 * shares out its time among the tasks, {@code ModelStore} finds the model or brings it here.
 *
 * <p>A row that cannot be served is answered with status {@code error}, a code and a message. A failure of the model, of
 * the device or of the engine fails the task, which Spark tries again.
 */
package dev.paloverde.udfs.text;
