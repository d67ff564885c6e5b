package dev.paloverde.pipelines.packing;

import dev.paloverde.pipelines.RowStream;
import dev.paloverde.pipelines.interleaved.SegmentKind;
import dev.paloverde.pipelines.interleaved.Segments;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Documents divided into pieces that fit a context, by {@link Run#cuts}. */
final class Pieces {
    /** Number of the piece in its document, from 0. */
    static final String PIECE = "piece";

    /** Positions of the piece. */
    static final String LENGTH = "length";

    /** The piece's first position in its document. */
    static final String OFFSET = "offset";

    /** A number by which pieces of one length are ordered: a hash of the seed and of what names the piece. */
    static final String ORDER = "order";

    static final StructType SCHEMA = new StructType()
            .add(Tokens.DOCUMENT, "string", false)
            .add(Mixture.COPY, "int", false)
            .add(PIECE, "int", false)
            .add(Tokens.SOURCE, "string", false)
            .add(Segments.OBJECTIVE, "string", false)
            .add(LENGTH, "int", false)
            .add(OFFSET, "int", false)
            .add(Tokens.TOKENS, DataTypes.createArrayType(DataTypes.IntegerType, false), false)
            .add(Tokens.RUNS, DataTypes.createArrayType(Tokens.RUN, false), false);

    private Pieces() {}

    /**
     * {@return the pieces of documents, with {@link #ORDER}}
     *
     * @param documents as {@link Mixture#drawn} makes them
     */
    static Dataset<Row> of(Dataset<Row> documents, int context, long seed) {
        MapPartitionsFunction<Row, Row> divide = rows -> new Divide(rows, context);
        return documents
                .select(Tokens.DOCUMENT, Mixture.COPY, Tokens.SOURCE, Segments.OBJECTIVE, Tokens.TOKENS, Tokens.RUNS)
                .mapPartitions(divide, Encoders.row(SCHEMA))
                .withColumn(
                        ORDER,
                        functions.xxhash64(
                                functions.lit(seed),
                                functions.col(Tokens.DOCUMENT),
                                functions.col(Mixture.COPY),
                                functions.col(PIECE)));
    }

    static List<Run> runs(Row row, int column) {
        List<Run> runs = new ArrayList<>();
        for (Row run : row.<Row>getList(column)) {
            runs.add(new Run(SegmentKind.named(run.getString(0)).orElseThrow(), run.getInt(1)));
        }
        return runs;
    }

    private static final class Divide extends RowStream {
        private final int context;

        Divide(Iterator<Row> rows, int context) {
            super(rows);
            this.context = context;
        }

        @Override
        protected void accept(Row row) {
            List<Run> runs = runs(row, 5);
            List<Integer> tokens = row.getList(4);
            int begin = 0;
            int piece = 0;
            for (int end : Run.cuts(runs, context)) {
                emit(RowFactory.create(
                        row.getString(0),
                        row.getInt(1),
                        piece++,
                        row.getString(2),
                        row.getString(3),
                        end - begin,
                        begin,
                        tokens.subList(begin, end).toArray(),
                        Run.part(runs, begin, end).stream()
                                .map(run -> RowFactory.create(run.kind().toString(), run.length()))
                                .toArray()));
                begin = end;
            }
        }
    }
}
