package dev.paloverde.pipelines.packing;

import dev.paloverde.pipelines.interleaved.Objective;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Sequences of exactly the context's length, made of pieces that come in the order of sequence and slot. No more than one
 * sequence is held.
 */
final class Sequences implements Iterator<Row> {
    static final String SHARD = "shard";
    static final String SEQUENCE = "sequence";
    static final String SLOT = "slot";
    static final String PIECES = "pieces";

    /** Positions of a sequence that hold nothing. */
    static final String PADDING = "padding";

    /** No document, or no block. */
    static final int NONE = -1;

    static final StructType PIECE = new StructType()
            .add(Tokens.DOCUMENT, "string", false)
            .add(Mixture.COPY, "int", false)
            .add(Pieces.PIECE, "int", false)
            .add(Tokens.SOURCE, "string", false)
            .add("objective", "string", false)
            .add("start", "int", false)
            .add(Pieces.LENGTH, "int", false)
            .add(Pieces.OFFSET, "int", false)
            .add(Tokens.TEXT_TOKENS, "int", false)
            .add(Tokens.VISUAL_TOKENS, "int", false)
            .add("trained", "int", false)
            .add("attended", "long", false);

    static final StructType SCHEMA = new StructType()
            .add(SHARD, "int", false)
            .add(SEQUENCE, "long", false)
            .add(Tokens.TOKENS, DataTypes.createArrayType(DataTypes.IntegerType, false), false)
            .add("positions", DataTypes.createArrayType(DataTypes.IntegerType, false), false)
            .add("documents", DataTypes.createArrayType(DataTypes.IntegerType, false), false)
            .add("blocks", DataTypes.createArrayType(DataTypes.IntegerType, false), false)
            .add("loss", DataTypes.createArrayType(DataTypes.BooleanType, false), false)
            .add(PIECES, DataTypes.createArrayType(PIECE, false), false)
            .add(PADDING, "int", false);

    private static final int SHARD_COLUMN = Pieces.SCHEMA.size();
    private static final int SEQUENCE_COLUMN = SHARD_COLUMN + 1;

    private final Iterator<Row> pieces;
    private final int context;
    private final int padding;
    private Row next;

    /**
     * @param rows the columns of {@link Pieces#SCHEMA}, then shard and sequence, sorted by sequence and slot
     * @param context length of a sequence
     * @param padding token of positions that hold nothing
     */
    Sequences(Iterator<Row> rows, int context, int padding) {
        pieces = rows;
        this.context = context;
        this.padding = padding;
        advance();
    }

    @Override
    public boolean hasNext() {
        return next != null;
    }

    @Override
    public Row next() {
        if (next == null) {
            throw new NoSuchElementException();
        }
        int shard = next.getInt(SHARD_COLUMN);
        long sequence = next.getLong(SEQUENCE_COLUMN);
        Sequence made = new Sequence(context, padding);
        while (next != null && next.getLong(SEQUENCE_COLUMN) == sequence) {
            made.add(next);
            advance();
        }
        return made.row(shard, sequence);
    }

    private void advance() {
        next = pieces.hasNext() ? pieces.next() : null;
    }

    /** One sequence as far as it is filled. */
    private static final class Sequence {
        private final Integer[] tokens;
        private final Integer[] positions;
        private final Integer[] documents;
        private final Integer[] blocks;
        private final Boolean[] loss;
        private final List<Row> pieces = new ArrayList<>();
        private int filled;
        private int blockCount;

        Sequence(int context, int padding) {
            tokens = filled(context, padding);
            positions = filled(context, 0);
            documents = filled(context, NONE);
            blocks = filled(context, NONE);
            loss = new Boolean[context];
            Arrays.fill(loss, false);
        }

        private static Integer[] filled(int length, int value) {
            Integer[] values = new Integer[length];
            Arrays.fill(values, value);
            return values;
        }

        void add(Row piece) {
            int length = piece.getInt(5);
            List<Integer> ids = piece.getList(7);
            List<Run> runs = Pieces.runs(piece, 8);
            Objective objective = Objective.named(piece.getString(4)).orElseThrow();
            for (int i = 0; i < length; i++) {
                tokens[filled + i] = ids.get(i);
                positions[filled + i] = i;
                documents[filled + i] = pieces.size();
            }
            int at = filled;
            for (Run run : runs) {
                mark(run, at, objective);
                at += run.length();
            }
            // what begins a piece has nothing before it that it could follow from
            loss[filled] = false;
            int trained = 0;
            for (int i = filled; i < at; i++) {
                trained += loss[i] ? 1 : 0;
            }
            pieces.add(RowFactory.create(
                    piece.getString(0),
                    piece.getInt(1),
                    piece.getInt(2),
                    piece.getString(3),
                    piece.getString(4),
                    filled,
                    length,
                    piece.getInt(6),
                    runs.stream().mapToInt(Run::text).sum(),
                    runs.stream().mapToInt(Run::visual).sum(),
                    trained,
                    Run.attended(runs)));
            filled += length;
        }

        private void mark(Run run, int at, Objective objective) {
            boolean trained = objective.trains(run.kind());
            if (!run.kind().isVisual()) {
                Arrays.fill(loss, at, at + run.length(), trained);
                return;
            }
            int end = at + run.length() - 1;
            Arrays.fill(blocks, at + 1, end, blockCount++);
            // that a picture begins is to be learnt; where it ends is known
            Arrays.fill(loss, at, end, trained);
        }

        Row row(int shard, long sequence) {
            return RowFactory.create(
                    shard,
                    sequence,
                    tokens,
                    positions,
                    documents,
                    blocks,
                    loss,
                    pieces.toArray(),
                    tokens.length - filled);
        }
    }
}
