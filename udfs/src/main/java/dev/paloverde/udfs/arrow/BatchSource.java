package dev.paloverde.udfs.arrow;

import java.util.Iterator;
import org.apache.arrow.vector.VectorSchemaRoot;

/** Batches to answer, and how many of them may be taken before the first is answered. */
public interface BatchSource extends Iterator<VectorSchemaRoot> {
    /**
     * {@return whether another batch may be taken now} True while what was taken and not answered is below the budget
     * of rows and bytes; always true when everything taken was answered.
     */
    boolean hasRoom();
}
