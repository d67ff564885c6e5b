package dev.paloverde.pipelines.packing;

import dev.paloverde.pipelines.interleaved.SegmentKind;
import java.util.ArrayList;
import java.util.List;

/**
 * Positions in a row that are of one kind. What is visual is a block: a token that marks its begin, latents, a token that
 * marks its end; it is never divided.
 *
 * @param kind what it is
 * @param length positions, those of the marks included; at least 1, of a block at least 3
 */
record Run(SegmentKind kind, int length) {
    /** Positions of a block that are its marks. */
    static final int MARKS = 2;

    /** {@return positions that hold latents} */
    int visual() {
        return kind.isVisual() ? length - MARKS : 0;
    }

    /** {@return positions that hold tokens} */
    int text() {
        return length - visual();
    }

    /**
     * Divides a document into pieces that fit a context. A piece takes as many positions as the context holds; a block
     * that does not fit begins the next one. So a document is divided only if it must be, and no piece but the last of a
     * document of text is shorter than the context.
     *
     * @param runs none with a block longer than the context
     * @return where each piece ends, in positions of the document
     */
    static List<Integer> cuts(List<Run> runs, int context) {
        List<Integer> ends = new ArrayList<>();
        int at = 0;
        int begin = 0;
        for (Run run : runs) {
            if (run.kind().isVisual()) {
                if (run.length() > context) {
                    throw new IllegalArgumentException(
                            "a block of %d positions in a context of %d".formatted(run.length(), context));
                }
                if (at + run.length() - begin > context) {
                    ends.add(at);
                    begin = at;
                }
                at += run.length();
            } else {
                int end = at + run.length();
                while (end - begin > context) {
                    begin += context;
                    ends.add(begin);
                }
                at = end;
            }
        }
        if (at > begin) {
            ends.add(at);
        }
        return ends;
    }

    /** {@return the runs of a part of a document; no end of it lies within a block} */
    static List<Run> part(List<Run> runs, int from, int to) {
        List<Run> part = new ArrayList<>();
        int at = 0;
        for (Run run : runs) {
            int begin = Math.max(at, from);
            int end = Math.min(at + run.length(), to);
            if (begin < end) {
                part.add(new Run(run.kind(), end - begin));
            }
            at += run.length();
        }
        return part;
    }

    /**
     * {@return over all positions of a piece, how many positions each sees: text sees itself and all before it, latents
     * see their whole block besides}
     */
    static long attended(List<Run> runs) {
        long attended = 0;
        long at = 0;
        for (Run run : runs) {
            long length = run.length();
            attended += length * at + length * (length + 1) / 2;
            // the latent at i of m, from 1, sees m - i more than itself and what is before it
            long visual = run.visual();
            attended += visual * (visual - 1) / 2;
            at += length;
        }
        return attended;
    }
}
