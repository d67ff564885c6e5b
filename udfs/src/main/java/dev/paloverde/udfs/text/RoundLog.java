package dev.paloverde.udfs.text;

import dev.paloverde.gpu.ErrorCode;
import dev.paloverde.gpu.PaloverdeException;
import dev.paloverde.gpu.decode.SpeculationRound;
import java.io.IOException;
import java.util.List;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.hadoop.util.HadoopOutputFile;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;

/**
 * Writes down step by step what came of guessing ahead: Parquet files in one directory, a file of each task that found
 * rounds nobody had written. Times are those of an executor's clock, which begins anywhere.
 */
final class RoundLog {
    private static final MessageType SCHEMA = MessageTypeParser.parseMessageType("""
            message round {
              required binary executor (UTF8);
              required int32 sequences;
              required int32 proposed;
              required int32 accepted;
              required int32 hits;
              required int32 misses;
              required int32 guesses;
              required int64 draft_nanos;
              required int64 begin_nanos;
              required int64 end_nanos;
              required int64 ahead_begin_nanos;
              required int64 ahead_end_nanos;
            }""");

    private RoundLog() {}

    /**
     * @param directory any that Hadoop knows
     * @param executor whose rounds they are
     */
    static void write(String directory, String executor, List<SpeculationRound> rounds, Configuration hadoop) {
        if (rounds.isEmpty()) {
            return;
        }
        Path file = new Path(directory, "rounds-" + executor + "-" + UUID.randomUUID() + ".parquet");
        SimpleGroupFactory groups = new SimpleGroupFactory(SCHEMA);
        try (ParquetWriter<Group> writer = ExampleParquetWriter.builder(HadoopOutputFile.fromPath(file, hadoop))
                .withType(SCHEMA)
                .withConf(hadoop)
                .withCompressionCodec(CompressionCodecName.SNAPPY)
                .build()) {
            for (SpeculationRound round : rounds) {
                writer.write(groups.newGroup()
                        .append("executor", executor)
                        .append("sequences", round.sequences())
                        .append("proposed", round.proposed())
                        .append("accepted", round.accepted())
                        .append("hits", round.hits())
                        .append("misses", round.misses())
                        .append("guesses", round.guesses())
                        .append("draft_nanos", round.draftNanos())
                        .append("begin_nanos", round.begin())
                        .append("end_nanos", round.end())
                        .append("ahead_begin_nanos", round.aheadBegin())
                        .append("ahead_end_nanos", round.aheadEnd()));
            }
        } catch (IOException e) {
            throw new PaloverdeException(
                    ErrorCode.OUTPUT_UNWRITABLE,
                    "speculation-rounds could not be written to " + file + ": " + e
                            + "; name a directory that executors can write to",
                    e);
        }
    }
}
