package dev.paloverde.udfs.arrow;

import java.io.Serializable;

/**
 * The sizes that bound a task's memory. None of them changes a result.
 *
 * @param batchRows the most rows of a batch
 * @param batchBytes a batch ends with the row that reaches this many bytes
 * @param aheadRows rows that may be taken and not answered
 * @param aheadBytes bytes of such rows
 */
public record BatchLimits(int batchRows, long batchBytes, int aheadRows, long aheadBytes) implements Serializable {
    /** Batches of 64 rows or 4 MiB; 1,024 rows or 64 MiB ahead. */
    public static final BatchLimits STANDARD = new BatchLimits(64, 4 << 20, 1024, 64 << 20);
}
