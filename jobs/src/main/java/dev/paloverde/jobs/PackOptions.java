package dev.paloverde.jobs;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.pipelines.packing.FlopLedger;
import dev.paloverde.pipelines.packing.Mixture;
import dev.paloverde.pipelines.packing.Packing;
import dev.paloverde.pipelines.packing.Tokens;
import dev.paloverde.udfs.Operation;
import dev.paloverde.udfs.Settings;
import dev.paloverde.udfs.text.TextModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Option;
import scala.jdk.javaapi.CollectionConverters;

/** The flags that say how documents become sequences. */
final class PackOptions {
    @Option(
            names = "--source-column",
            defaultValue = "source",
            paramLabel = "COLUMN",
            description = "The column with the name of a document's source, by which a mixture is made; where there is"
                    + " none all documents are of one source (default: source).")
    String source;

    @Option(names = "--context", paramLabel = "TOKENS", description = "Length of a sequence (default: 2048).")
    int context = 2048;

    @Option(
            names = "--mixture",
            split = ",",
            paramLabel = "SOURCE=WEIGHT",
            description =
                    "Which share of the tokens each source gives, in any unit; several with commas. Sources that are"
                            + " not named are left out (default: all sources, once).")
    Map<String, Double> mixture = new TreeMap<>();

    @Option(
            names = "--tokens",
            paramLabel = "COUNT",
            description = "Tokens of the mixture (default: as many as its sources have).")
    Long tokens;

    @Option(
            names = "--most-epochs",
            paramLabel = "TIMES",
            description = "How often a source may be gone through; a mixture that needs more is refused (default: 4).")
    double mostEpochs = Mixture.STANDARD_EPOCHS;

    @Option(
            names = "--shard-tokens",
            paramLabel = "COUNT",
            description = "Positions of a shard, as many whole sequences as fit (default: 67108864).")
    long shardTokens = Packing.STANDARD_SHARD_TOKENS;

    @Option(
            names = "--pack-seed",
            paramLabel = "NUMBER",
            description = "Seed of the mixture and of the order of sequences (default: 0).")
    long seed;

    @Option(
            names = "--image-marks",
            split = ",",
            paramLabel = "TOKEN",
            description = "The ids of the two tokens that stand before and after a picture: BEGIN,END. Needed where"
                    + " documents have pictures.")
    List<Integer> imageMarks = new ArrayList<>();

    @Option(
            names = "--latent-width",
            paramLabel = "CHANNELS",
            description = "Width of a picture's latents, for the ledger of operations (default: 1152).")
    int latentWidth = FlopLedger.STANDARD_LATENT_WIDTH;

    @Option(
            names = "--ledger",
            paramLabel = "PATH",
            description =
                    "A config.json, or a local directory with one, of a model that is to be trained: the ledger says"
                            + " what that costs. May be repeated; the model whose tokenizer it is is in the ledger in any case.")
    List<String> ledger = new ArrayList<>();

    Mixture.Request request() {
        return new Mixture.Request(
                new TreeMap<>(mixture),
                tokens == null ? OptionalLong.empty() : OptionalLong.of(tokens),
                mostEpochs,
                seed);
    }

    Tokens.Marks marks() {
        if (!imageMarks.isEmpty() && imageMarks.size() != 2) {
            throw new PaloverdeException(
                    ErrorCode.INVALID_OPTION, "--image-marks %s; it is two token ids, BEGIN,END".formatted(imageMarks));
        }
        return imageMarks.isEmpty() ? Tokens.Marks.NONE : new Tokens.Marks(imageMarks.get(0), imageMarks.get(1));
    }

    /** {@return settings that name the model, and what the session says of where to keep it} */
    static Settings settings(SparkSession spark, String model) {
        return Settings.resolve(
                Operation.SCORE,
                Map.of(Settings.MODEL.key(), model),
                CollectionConverters.asJava(spark.conf().getAll()));
    }

    /** {@return what sequences depend on besides the documents} */
    SortedMap<String, String> description(Settings model) {
        SortedMap<String, String> description = new TreeMap<>();
        description.put("tokenizer", TextModel.shared(model).directory().tokenizerFingerprint());
        description.put("source-column", source);
        description.put("context", Integer.toString(context));
        description.put("mixture", request().weights().toString());
        description.put("tokens", String.valueOf(tokens));
        description.put("most-epochs", Double.toString(mostEpochs));
        description.put("shard-tokens", Long.toString(shardTokens));
        description.put("pack-seed", Long.toString(seed));
        description.put("image-marks", imageMarks.toString());
        description.put("latent-width", Integer.toString(latentWidth));
        description.put("ledger", ledger.toString());
        return description;
    }
}
