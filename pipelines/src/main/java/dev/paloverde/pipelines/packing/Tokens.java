package dev.paloverde.pipelines.packing;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.model.Tokenizer;
import dev.paloverde.pipelines.RowStream;
import dev.paloverde.pipelines.interleaved.Objective;
import dev.paloverde.pipelines.interleaved.SegmentKind;
import dev.paloverde.pipelines.interleaved.Segments;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.text.TextModel;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Documents as token ids: what the tokenizer puts before a text, the segments in their order, and the token that ends a
 * text. Texts that follow each other are tokenized each by itself. A picture is a block: {@link Marks#begin()}, so many
 * {@link #VISUAL}, {@link Marks#end()}. Special tokens that are written in a text are text.
 */
public final class Tokens {
    /** The column with a document's key. */
    public static final String DOCUMENT = "document";

    /** The column with the name of the source it is of. */
    public static final String SOURCE = "source";

    /** The result column with its token ids. */
    public static final String TOKENS = "tokens";

    /** The result column with the kinds of its positions, a list of runs. */
    public static final String RUNS = "runs";

    /** The result column with how many of its positions hold tokens. */
    public static final String TEXT_TOKENS = "text_tokens";

    /** The result column with how many of its positions hold latents. */
    public static final String VISUAL_TOKENS = "visual_tokens";

    /** The result column with why it cannot be packed, the name of a {@link Refusal}; null of one that can. */
    public static final String REFUSED = "refused";

    /** What stands in place of a token id where a position holds a latent. */
    public static final int VISUAL = -1;

    static final StructType RUN = new StructType().add("kind", "string", false).add("length", "int", false);

    private static final StructType SCHEMA = new StructType()
            .add(DOCUMENT, "string", false)
            .add(SOURCE, "string", false)
            .add(Segments.OBJECTIVE, "string", false)
            .add(TOKENS, DataTypes.createArrayType(DataTypes.IntegerType, false))
            .add(RUNS, DataTypes.createArrayType(RUN, false))
            .add(TEXT_TOKENS, "int", false)
            .add(VISUAL_TOKENS, "int", false)
            .add(REFUSED, "string");

    private final Settings settings;
    private final Marks marks;
    private final int context;

    /** Why a document cannot be packed: few, stable and countable. */
    public enum Refusal {
        /** It has no text and no picture. */
        EMPTY,
        /** A segment is of a kind that there is not, or lacks what its kind has. */
        INVALID_SEGMENT,
        /** Its objective is one that there is not. */
        INVALID_OBJECTIVE,
        /** A picture with its marks is longer than the context, and is never divided. */
        BLOCK_TOO_LONG,
        /** It has more than 2^31 - 1 positions. */
        TOO_LONG,
        /** Its text is not well-formed. */
        INVALID_TEXT
    }

    /**
     * The tokens around a picture's latents.
     *
     * @param begin before them
     * @param end after them
     */
    public record Marks(int begin, int end) implements Serializable {
        /** For documents without pictures. */
        public static final Marks NONE = new Marks(-1, -1);
    }

    /**
     * @param settings name the model whose tokenizer it is
     * @param marks tokens around pictures
     * @param context positions of a sequence
     * @throws PaloverdeException {@code INVALID_OPTION} if the context is too short for anything; of job scope if there is
     *     no such model
     */
    public Tokens(Settings settings, Marks marks, int context) {
        if (context < 2) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "a context of %d positions; it has at least 2".formatted(context));
        }
        int vocabulary = TextModel.shared(settings).directory().configuration().vocabulary();
        if (marks.begin() >= vocabulary || marks.end() >= vocabulary) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION,
                    "the marks of pictures are the tokens %d and %d; the model's are 0 to %d"
                            .formatted(marks.begin(), marks.end(), vocabulary - 1));
        }
        this.settings = settings;
        this.marks = marks;
        this.context = context;
    }

    /** {@return the token that fills up sequences: the model's padding token, else the one that ends texts, else 0} */
    public int padding() {
        var defaults = TextModel.shared(settings).directory().generationDefaults();
        return defaults.padding()
                .orElse(defaults.ends().isEmpty() ? 0 : defaults.ends().get(0));
    }

    /**
     * Tokenizes documents.
     *
     * @param documents {@link #DOCUMENT}, {@link #SOURCE}, {@link Segments#OBJECTIVE} (may be null) and
     *     {@link Segments#SEGMENTS}
     * @return the first three, {@link #TOKENS}, {@link #RUNS}, {@link #TEXT_TOKENS}, {@link #VISUAL_TOKENS} and
     *     {@link #REFUSED}; one row for each
     */
    public Dataset<Row> of(Dataset<Row> documents) {
        Settings asked = settings;
        Marks around = marks;
        int most = context;
        MapPartitionsFunction<Row, Row> tokenize = rows -> new TokenStream(rows, TextModel.shared(asked), around, most);
        return documents
                .select(DOCUMENT, SOURCE, Segments.OBJECTIVE, Segments.SEGMENTS)
                .mapPartitions(tokenize, Encoders.row(SCHEMA));
    }

    private static final class TokenStream extends RowStream {
        private final Tokenizer tokenizer;
        private final int[] before;
        private final int[] after;
        private final Marks marks;
        private final int context;

        TokenStream(Iterator<Row> rows, TextModel model, Marks marks, int context) {
            super(rows);
            tokenizer = model.directory().tokenizer();
            before = tokenizer.prefix();
            after = model.directory().generationDefaults().ends().stream()
                    .limit(1)
                    .mapToInt(Integer::intValue)
                    .toArray();
            this.marks = marks;
            this.context = context;
        }

        @Override
        protected void accept(Row row) {
            Writer writer = new Writer();
            String objective = row.getString(2);
            Refusal refused = refusal(row, writer);
            if (objective == null) {
                objective = (writer.onlyText ? Objective.TEXT : Objective.INTERLEAVED).toString();
            }
            if (refused != null) {
                emit(RowFactory.create(
                        row.getString(0), row.getString(1), objective, null, null, 0, 0, refused.name()));
                return;
            }
            emit(RowFactory.create(
                    row.getString(0),
                    row.getString(1),
                    objective,
                    Arrays.stream(writer.tokens, 0, writer.count).boxed().toArray(),
                    writer.runs.stream()
                            .map(run -> RowFactory.create(run.kind().toString(), run.length()))
                            .toArray(),
                    writer.runs.stream().mapToInt(Run::text).sum(),
                    writer.runs.stream().mapToInt(Run::visual).sum(),
                    null));
        }

        private Refusal refusal(Row row, Writer writer) {
            if (row.getString(2) != null && Objective.named(row.getString(2)).isEmpty()) {
                return Refusal.INVALID_OBJECTIVE;
            }
            if (row.isNullAt(3)) {
                return Refusal.EMPTY;
            }
            try {
                writer.text(SegmentKind.TEXT, before);
                int content = writer.count;
                for (Row segment : row.<Row>getList(3)) {
                    Refusal refused = segment(segment, writer);
                    if (refused != null) {
                        return refused;
                    }
                }
                if (writer.count == content) {
                    return Refusal.EMPTY;
                }
                writer.text(SegmentKind.TEXT, after);
                return null;
            } catch (ArithmeticException e) {
                return Refusal.TOO_LONG;
            } catch (PaloverdeException e) {
                if (e.code().scope() == ErrorCode.Scope.JOB) {
                    throw e;
                }
                return Refusal.INVALID_TEXT;
            }
        }

        private Refusal segment(Row segment, Writer writer) {
            if (segment == null) {
                return Refusal.INVALID_SEGMENT;
            }
            SegmentKind kind = SegmentKind.named(segment.getAs(Segments.KIND)).orElse(null);
            String text = segment.getAs(Segments.TEXT);
            Integer latents = segment.getAs(Segments.VISUAL_TOKENS);
            int visual = latents == null ? 0 : latents;
            if (kind == null) {
                return Refusal.INVALID_SEGMENT;
            }
            if (!kind.isVisual()) {
                if (text == null) {
                    return Refusal.INVALID_SEGMENT;
                }
                writer.text(kind, tokenizer.encode(text));
                return null;
            }
            if (visual < 1 || marks.begin() < 0 || marks.end() < 0) {
                return Refusal.INVALID_SEGMENT;
            }
            if (visual > context - Run.MARKS) {
                return Refusal.BLOCK_TOO_LONG;
            }
            writer.block(kind, marks, visual);
            return null;
        }
    }

    /** A document as far as it is written. */
    private static final class Writer {
        private int[] tokens = new int[64];
        private int count;
        private boolean onlyText = true;
        private final List<Run> runs = new ArrayList<>();

        void text(SegmentKind kind, int[] ids) {
            if (ids.length > 0) {
                int at = grow(ids.length);
                System.arraycopy(ids, 0, tokens, at, ids.length);
                int last = runs.size() - 1;
                if (last >= 0 && runs.get(last).kind() == kind) {
                    runs.set(last, new Run(kind, runs.get(last).length() + ids.length));
                } else {
                    runs.add(new Run(kind, ids.length));
                }
            }
        }

        void block(SegmentKind kind, Marks marks, int visual) {
            int at = grow(visual + Run.MARKS);
            tokens[at] = marks.begin();
            Arrays.fill(tokens, at + 1, count - 1, VISUAL);
            tokens[count - 1] = marks.end();
            runs.add(new Run(kind, visual + Run.MARKS));
            onlyText = false;
        }

        private int grow(int more) {
            int at = count;
            count = Math.addExact(count, more);
            if (count > tokens.length) {
                tokens = Arrays.copyOf(tokens, (int) Math.min(Integer.MAX_VALUE - 8L, Math.max(count, count * 3L / 2)));
            }
            return at;
        }
    }
}
