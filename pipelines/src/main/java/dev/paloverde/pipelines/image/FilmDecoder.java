package dev.paloverde.pipelines.image;

import dev.paloverde.gpu.image.ImageLimits;
import dev.paloverde.gpu.image.Picture;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.bytedeco.ffmpeg.avcodec.AVCodec;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVStream;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.global.avcodec;
import org.bytedeco.ffmpeg.global.avformat;
import org.bytedeco.ffmpeg.global.avutil;
import org.bytedeco.ffmpeg.global.swscale;
import org.bytedeco.ffmpeg.swscale.SwsContext;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;

/**
 * One film, decoded in one pass by FFmpeg with one thread, to the same bits on every machine. The only class that needs
 * FFmpeg; who uses it has asked {@link Films#check}. Times count from the first frame.
 */
final class FilmDecoder implements AutoCloseable {
    /** Containers of films. Playlists, which name other files, are none. */
    private static final String CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm";

    private static final int CHANNELS = 3;
    private static final double EPSILON = 1e-6;

    private final ImageLimits limits;
    private AVFormatContext format;
    private AVCodecContext codec;
    private AVPacket packet;
    private AVFrame decoded;
    private AVFrame current;
    private AVFrame rgb;
    private SwsContext scaler;
    private int stream;
    private double tick;
    private double pace;

    private int frames;
    private double first;
    private double currentBegin;
    private double nextBegin;
    private boolean ahead;
    private boolean drained;
    private boolean ended;
    private String damage;
    private Shown shown;

    /** A frame, as PNG, and its number in the film from 0. */
    record Shown(int frame, byte[] png) {}

    /** Its frames claim more pixels than allowed. */
    static final class TooLarge extends IOException {
        private static final long serialVersionUID = 1L;

        TooLarge(int width, int height, long most) {
            super("the film claims %,d x %,d pixels, more than the %,d allowed".formatted(width, height, most));
        }
    }

    private FilmDecoder(ImageLimits limits) {
        this.limits = limits;
    }

    /** Loads FFmpeg, and has it say nothing on the error stream. */
    static void quiet() {
        avutil.av_log_set_level(avutil.AV_LOG_QUIET);
    }

    static FilmDecoder open(String file, ImageLimits limits) throws IOException {
        quiet();
        FilmDecoder film = new FilmDecoder(limits);
        try {
            film.open(file);
            return film;
        } catch (IOException | RuntimeException e) {
            film.close();
            throw e;
        }
    }

    private void open(String file) throws IOException {
        AVFormatContext opening = new AVFormatContext(null);
        AVDictionary options = new AVDictionary(null);
        avutil.av_dict_set(options, "protocol_whitelist", "file", 0);
        avutil.av_dict_set(options, "format_whitelist", CONTAINERS, 0);
        int opened = avformat.avformat_open_input(opening, file, null, options);
        avutil.av_dict_free(options);
        done(opened, "it is no MP4, QuickTime, WebM or Matroska file, or one without its index");
        format = opening;
        done(avformat.avformat_find_stream_info(format, (AVDictionary) null), "its streams cannot be told");
        stream = avformat.av_find_best_stream(format, avutil.AVMEDIA_TYPE_VIDEO, -1, -1, (AVCodec) null, 0);
        done(stream, "it has no pictures");
        AVStream pictures = format.streams(stream);
        check(pictures.codecpar().width(), pictures.codecpar().height());
        AVCodec decoder = avcodec.avcodec_find_decoder(pictures.codecpar().codec_id());
        if (decoder == null || decoder.isNull()) {
            throw new IOException("FFmpeg has no decoder for its pictures here");
        }
        codec = avcodec.avcodec_alloc_context3(decoder);
        done(avcodec.avcodec_parameters_to_context(codec, pictures.codecpar()), "its parameters are none");
        codec.thread_count(1);
        codec.flags(codec.flags() | avcodec.AV_CODEC_FLAG_BITEXACT);
        codec.max_pixels(limits.maxPixels());
        done(avcodec.avcodec_open2(codec, decoder, (AVDictionary) null), "its decoder does not take it");
        tick = avutil.av_q2d(pictures.time_base());
        double rate = pictures.avg_frame_rate().den() == 0 ? 0 : avutil.av_q2d(pictures.avg_frame_rate());
        pace = rate > 0 ? 1 / rate : tick;
        packet = avcodec.av_packet_alloc();
        decoded = avutil.av_frame_alloc();
        current = avutil.av_frame_alloc();
        ahead = decode();
        if (!ahead) {
            throw new IOException(damage == null ? "it has no frames" : damage);
        }
        first = time(decoded, 0);
        nextBegin = 0;
        step();
    }

    /** {@return what was wrong with it so far; null if nothing was} */
    String damage() {
        return damage;
    }

    /**
     * {@return the frame that is shown at a time; null at or after the end}
     *
     * @param seconds from the first frame, not less than asked for before
     */
    Shown shownAt(double seconds) throws IOException {
        while (ahead && nextBegin <= seconds + EPSILON) {
            step();
        }
        if (!ahead && seconds + EPSILON >= currentBegin + duration(current) && seconds > 0) {
            return null;
        }
        if (shown == null) {
            shown = new Shown(frames - 1, ImageFiles.png(picture(current)));
        }
        return shown;
    }

    /** Makes the frame that is ahead the current one, and decodes another. */
    private void step() throws IOException {
        avutil.av_frame_unref(current);
        avutil.av_frame_move_ref(current, decoded);
        currentBegin = nextBegin;
        shown = null;
        frames++;
        ahead = decode();
        if (ahead) {
            // a clock that stands or runs back is not to be believed
            double begin = time(decoded, frames) - first;
            nextBegin = begin > currentBegin ? begin : currentBegin + pace;
        }
    }

    private double duration(AVFrame frame) {
        return frame.duration() > 0 ? frame.duration() * tick : pace;
    }

    private double time(AVFrame frame, int number) {
        long stamp = frame.best_effort_timestamp();
        return stamp == avutil.AV_NOPTS_VALUE ? first + number * pace : stamp * tick;
    }

    /** {@return whether another frame is decoded} */
    private boolean decode() {
        while (!ended) {
            int received = avcodec.avcodec_receive_frame(codec, decoded);
            if (received == 0) {
                if ((decoded.flags() & AVFrame.AV_FRAME_FLAG_CORRUPT) != 0 || decoded.decode_error_flags() != 0) {
                    damaged("a frame is damaged");
                }
                return true;
            }
            if (received != avutil.AVERROR_EAGAIN()) {
                if (received != avutil.AVERROR_EOF) {
                    damaged(message(received));
                }
                ended = true;
            } else if (!drained) {
                feed();
            } else {
                ended = true;
            }
        }
        return false;
    }

    private void feed() {
        int read = avformat.av_read_frame(format, packet);
        if (read < 0) {
            if (read != avutil.AVERROR_EOF) {
                damaged(message(read));
            }
            drained = true;
            avcodec.avcodec_send_packet(codec, (AVPacket) null);
            return;
        }
        if (packet.stream_index() == stream) {
            if ((packet.flags() & avcodec.AV_PKT_FLAG_CORRUPT) != 0) {
                damaged("a packet is damaged, or the file ends within");
            }
            int sent = avcodec.avcodec_send_packet(codec, packet);
            if (sent < 0) {
                damaged(message(sent));
            }
        }
        avcodec.av_packet_unref(packet);
    }

    private void damaged(String what) {
        damage = damage == null ? what : damage;
    }

    private Picture picture(AVFrame frame) throws IOException {
        int width = frame.width();
        int height = frame.height();
        check(width, height);
        scaler = swscale.sws_getCachedContext(
                scaler,
                width,
                height,
                frame.format(),
                width,
                height,
                avutil.AV_PIX_FMT_RGB24,
                swscale.SWS_BICUBIC
                        | swscale.SWS_ACCURATE_RND
                        | swscale.SWS_BITEXACT
                        | swscale.SWS_FULL_CHR_H_INT
                        | swscale.SWS_FULL_CHR_H_INP,
                null,
                null,
                (DoublePointer) null);
        if (scaler == null || scaler.isNull()) {
            throw new IOException("its colors cannot be made RGB");
        }
        if (rgb == null || rgb.width() != width || rgb.height() != height) {
            if (rgb != null) {
                avutil.av_frame_free(rgb);
            }
            rgb = avutil.av_frame_alloc();
            rgb.format(avutil.AV_PIX_FMT_RGB24);
            rgb.width(width);
            rgb.height(height);
            done(avutil.av_frame_get_buffer(rgb, 0), "there is no memory for a frame");
        }
        swscale.sws_scale(scaler, frame.data(), frame.linesize(), 0, height, rgb.data(), rgb.linesize());
        byte[] pixels = new byte[Math.multiplyExact(width * CHANNELS, height)];
        BytePointer rows = rgb.data(0);
        for (int y = 0; y < height; y++) {
            rows.position((long) y * rgb.linesize(0)).get(pixels, y * width * CHANNELS, width * CHANNELS);
        }
        return new Picture(width, height, pixels);
    }

    private void check(int width, int height) throws IOException {
        if ((long) width * height > limits.maxPixels()) {
            throw new TooLarge(width, height, limits.maxPixels());
        }
    }

    private static void done(int status, String problem) throws IOException {
        if (status < 0) {
            throw new IOException("%s: %s".formatted(problem, message(status)));
        }
    }

    private static String message(int status) {
        byte[] text = new byte[avutil.AV_ERROR_MAX_STRING_SIZE];
        avutil.av_strerror(status, text, text.length);
        return new String(text, StandardCharsets.UTF_8).trim();
    }

    @Override
    public void close() {
        for (AVFrame frame : new AVFrame[] {rgb, current, decoded}) {
            if (frame != null) {
                avutil.av_frame_free(frame);
            }
        }
        if (packet != null) {
            avcodec.av_packet_free(packet);
        }
        if (codec != null) {
            avcodec.avcodec_free_context(codec);
        }
        if (format != null) {
            avformat.avformat_close_input(format);
        }
        if (scaler != null) {
            swscale.sws_freeContext(scaler);
        }
        rgb = null;
        current = null;
        decoded = null;
        packet = null;
        codec = null;
        format = null;
        scaler = null;
    }
}
