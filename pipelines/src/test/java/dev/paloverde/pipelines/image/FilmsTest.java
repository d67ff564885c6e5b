package dev.paloverde.pipelines.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.paloverde.gpu.image.ImageFile;
import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.gpu.image.Picture;
import dev.paloverde.pipelines.LocalSpark;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.bytedeco.ffmpeg.avcodec.AVCodec;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVIOContext;
import org.bytedeco.ffmpeg.avformat.AVStream;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.global.avcodec;
import org.bytedeco.ffmpeg.global.avformat;
import org.bytedeco.ffmpeg.global.avutil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Films that FFmpeg has written give the frames that were put in, at the times asked for. */
class FilmsTest {
    private static final int RATE = 4;
    private static final Films FILMS = new Films(ReaderLimits.STANDARD, ImageLimits.STANDARD, 1, 1 << 20);

    @TempDir
    Path directory;

    /** {@return a film of grey frames, each lighter than the one before by 10, four a second} */
    private byte[] film(String name, String encoder, int frames) throws IOException {
        Path file = directory.resolve(name);
        AVFormatContext format = new AVFormatContext(null);
        avformat.avformat_alloc_output_context2(format, null, null, file.toString());
        AVCodec codec = avcodec.avcodec_find_encoder_by_name(encoder);
        AVCodecContext context = avcodec.avcodec_alloc_context3(codec);
        context.width(96).height(80).pix_fmt(avutil.AV_PIX_FMT_YUV420P);
        context.time_base(avutil.av_make_q(1, RATE)).framerate(avutil.av_make_q(RATE, 1));
        context.bit_rate(400_000).gop_size(4).thread_count(1);
        context.flags(context.flags() | avcodec.AV_CODEC_FLAG_GLOBAL_HEADER);
        ok(avcodec.avcodec_open2(context, codec, (AVDictionary) null));
        AVStream stream = avformat.avformat_new_stream(format, null);
        stream.time_base(context.time_base()).avg_frame_rate(context.framerate());
        ok(avcodec.avcodec_parameters_from_context(stream.codecpar(), context));
        AVIOContext out = new AVIOContext(null);
        ok(avformat.avio_open(out, file.toString(), avformat.AVIO_FLAG_WRITE));
        format.pb(out);
        AVDictionary options = new AVDictionary(null);
        avutil.av_dict_set(options, "movflags", "faststart", 0);
        ok(avformat.avformat_write_header(format, options));
        AVPacket packet = avcodec.av_packet_alloc();
        AVFrame frame = avutil.av_frame_alloc();
        frame.format(context.pix_fmt()).width(96).height(80);
        ok(avutil.av_frame_get_buffer(frame, 0));
        for (int i = 0; i <= frames; i++) {
            if (i < frames) {
                ok(avutil.av_frame_make_writable(frame));
                for (int plane = 0; plane < 3; plane++) {
                    byte[] values = new byte[frame.linesize(plane) * (plane == 0 ? 80 : 40)];
                    Arrays.fill(values, (byte) (plane == 0 ? luma(i) : 128));
                    frame.data(plane).put(values);
                }
                frame.pts(i);
            }
            ok(avcodec.avcodec_send_frame(context, i < frames ? frame : null));
            while (avcodec.avcodec_receive_packet(context, packet) == 0) {
                avcodec.av_packet_rescale_ts(packet, context.time_base(), stream.time_base());
                packet.stream_index(0);
                ok(avformat.av_interleaved_write_frame(format, packet));
            }
        }
        ok(avformat.av_write_trailer(format));
        avformat.avio_closep(out);
        avutil.av_frame_free(frame);
        avcodec.av_packet_free(packet);
        avcodec.avcodec_free_context(context);
        avformat.avformat_free_context(format);
        return Files.readAllBytes(file);
    }

    private static void ok(int status) {
        assertThat(status).isGreaterThanOrEqualTo(0);
    }

    private static int luma(int frame) {
        return 40 + 10 * frame;
    }

    private static List<Row> read(Films films, byte[] film, String caption) {
        Shards.Memory files = new Shards.Memory().with("a/film.mp4", film);
        if (caption != null) {
            files.with("a/film.txt", Shards.text(caption));
        }
        List<Row> rows = new ArrayList<>();
        new FilmFrames("a/film", "a/film.mp4", caption == null ? null : "a/film.txt", files, copies(files), films)
                .forEachRemaining(rows::add);
        return rows;
    }

    /** Copies of files in memory, of which the test sees whether they are left behind. */
    private static FilmCopier copies(Shards.Memory files) {
        return (path, most) -> {
            Path copy = Files.createTempFile("paloverde-film-", ".film");
            try {
                byte[] bytes = files.open(path).readNBytes((int) most + 1);
                Files.write(copy, bytes);
                return new Copied(copy, bytes.length);
            } catch (IOException e) {
                Files.delete(copy);
                throw e;
            }
        };
    }

    private record Copied(Path file, long bytes) implements FilmCopier.Copy {
        @Override
        public String path() {
            return file.toString();
        }

        @Override
        public void close() {
            try {
                Files.delete(file);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private static List<Object> reasons(List<Row> rows) {
        return rows.stream().map(row -> row.<Object>getAs(Samples.REASON)).toList();
    }

    private static int frame(Row row) {
        return ((Row) row.getAs(Samples.SOURCE)).<Integer>getAs("frame_index");
    }

    @ParameterizedTest
    @CsvSource({"a.mp4, mpeg4", "a.webm, libvpx", "a.mkv, mpeg4"})
    void framesAreThoseShownAtTheTimesAskedFor(String name, String encoder) throws IOException {
        byte[] film = film(name, encoder, 18);
        List<Row> rows = read(FILMS, film, "a film");
        // 4.5 seconds: 0, 1, 2, 3 and 4 are within
        assertThat(rows.stream().map(FilmsTest::frame)).containsExactly(0, 4, 8, 12, 16);
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            assertThat(row.<Integer>getAs(Samples.POSITION)).isEqualTo(i);
            assertThat(row.<String>getAs(Samples.CAPTION)).isEqualTo("a film");
            Picture picture = ImageFile.open(row.getAs(Samples.IMAGE), ImageLimits.STANDARD)
                    .decode();
            assertThat(List.of(picture.width(), picture.height())).containsExactly(96, 80);
            // limited range: 16 to 235 of luma are 0 to 255
            double expected = (luma(4 * i) - 16) * 255 / 219.0;
            for (int channel = 0; channel < 3; channel++) {
                assertThat((double) picture.sample(48, 40, channel)).isBetween(expected - 4, expected + 4);
            }
        }
        // every frame, and some twice
        assertThat(read(new Films(ReaderLimits.STANDARD, ImageLimits.STANDARD, RATE, 1 << 20), film, null).stream()
                        .map(FilmsTest::frame))
                .containsExactlyElementsOf(
                        Stream.iterate(0, i -> i + 1).limit(18).toList());
        assertThat(read(new Films(ReaderLimits.STANDARD, ImageLimits.STANDARD, 2 * RATE, 1 << 20), film, null))
                .hasSize(36);
    }

    @Test
    void inTasksTooAndNothingIsLeftBehind() throws IOException {
        Shards.Memory files = new Shards.Memory().with("b.mp4", film("b.mp4", "mpeg4", 9));
        List<Row> rows = FILMS.read(
                        LocalSpark.session()
                                .createDataFrame(
                                        List.of(
                                                RowFactory.create("b", "b.mp4", null, 0, null),
                                                RowFactory.create("gone", "gone.mp4", null, 0, null)),
                                        ImageFiles.LISTING),
                        files,
                        copies(files))
                .collectAsList();
        assertThat(reasons(rows)).containsExactlyInAnyOrder(null, null, null, "UNREADABLE_SHARD");
        try (Stream<Path> left = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
            assertThat(left.filter(file -> file.getFileName().toString().startsWith("paloverde-film-")))
                    .isEmpty();
        }
    }

    @Test
    void damagedFilmsGiveWhatCanBeReadAndAReason() throws IOException {
        byte[] film = film("c.mp4", "mpeg4", 18);
        List<Row> cut = read(FILMS, Arrays.copyOf(film, film.length * 2 / 3), null);
        assertThat(cut.size()).isBetween(2, 5);
        assertThat(reasons(cut).get(0)).isNull();
        assertThat(reasons(cut).get(cut.size() - 1)).isEqualTo("TRUNCATED_SHARD");
        assertThat(reasons(read(FILMS, Shards.text("no film"), null))).containsExactly("UNREADABLE_SHARD");
        // a playlist would have FFmpeg open what it names
        assertThat(reasons(read(FILMS, Shards.text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"), null)))
                .containsExactly("UNREADABLE_SHARD");
        assertThat(reasons(read(new Films(ReaderLimits.STANDARD, ImageLimits.STANDARD, 1, 100), film, null)))
                .containsExactly("MEMBER_TOO_LARGE");
        assertThat(reasons(read(new Films(ReaderLimits.STANDARD, new ImageLimits(1000, 9), 1, 1 << 20), film, null)))
                .containsExactly("IMAGE_TOO_LARGE");
        assertThat(reasons(read(new Films(new ReaderLimits(1, 3), ImageLimits.STANDARD, 1, 1 << 20), film, "long")))
                .containsExactly("CAPTION_TOO_LARGE");
        assertThatThrownBy(() -> new Films(ReaderLimits.STANDARD, ImageLimits.STANDARD, 0, 1))
                .hasMessageContaining("a rate above 0");
    }
}
