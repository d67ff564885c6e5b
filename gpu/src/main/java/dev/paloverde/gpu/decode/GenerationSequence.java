package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.kernels.TokenChooser;
import java.util.Arrays;

/** A prompt and what has been generated after it. */
final class GenerationSequence extends Sequence {
    private final GenerationRequest request;
    private final RowNoise noise;
    private final SeenTokens seen = new SeenTokens();
    private final StopTexts stops;
    private final int[] endTokens;
    private final int context;
    private int[] output = new int[16];
    private int generated;
    private double logProbability;
    private FinishReason finish;

    /**
     * @param endTokens ids that end the sequence
     * @param context the most tokens that prompt and output may have together
     */
    GenerationSequence(Work<?> work, GenerationRequest request, StopTexts stops, int[] endTokens, int context) {
        super(work, 0, null, request.prompt().length);
        this.request = request;
        this.stops = stops;
        this.endTokens = request.sampling().ignoreEnd() ? new int[0] : endTokens;
        this.context = context;
        this.noise = new RowNoise(request.sampling().seed(), request.key());
        if (request.sampling().repetitionPenalty() != 1) {
            for (int token : request.prompt()) {
                seen.add(token);
            }
        }
    }

    @Override
    int length() {
        return request.prompt().length + generated;
    }

    @Override
    int token(int position) {
        int prompt = request.prompt().length;
        return position < prompt ? request.prompt()[position] : output[position - prompt];
    }

    @Override
    boolean decoding() {
        return generated > 0 && computed() == length() - 1;
    }

    @Override
    void read(int first, int count, int row, Readout readout) {
        if (first + count == length()) {
            readout.sample(this, row + count - 1);
        }
    }

    /** {@return whether any token may be chosen, by its logit, temperature and noise alone} */
    boolean plain() {
        Sampling sampling = request.sampling();
        return sampling.topK() == 0
                && sampling.topP() == 1
                && sampling.minP() == 0
                && sampling.repetitionPenalty() == 1;
    }

    /** Says how the next token is drawn, as entry {@code index} of {@code draws}. */
    void draw(TokenChooser.Draws draws, int index) {
        draws.temperatures()[index] = request.sampling().temperature();
        draws.positions()[index] = length();
        noise.key(draws, index);
    }

    /** Chooses the next token from the logits of the last one. */
    void sample(Sampler sampler, float[] logits, int from) {
        Sampler.Choice choice = sampler.choose(logits, from, request.sampling(), noise, seen, length());
        take(choice.token(), choice.logProbability());
    }

    /** Takes the next token, which the device chose as {@link #draw} said. */
    void chosen(int token, float logProbabilityOfToken) {
        if (Float.isNaN(logProbabilityOfToken)) {
            throw Sampler.noSoftmax(length());
        }
        take(token, logProbabilityOfToken);
    }

    private void take(int token, double logProbabilityOfToken) {
        logProbability += logProbabilityOfToken;
        for (int end : endTokens) {
            if (token == end) {
                finish = FinishReason.STOP;
                return;
            }
        }
        append(token);
        if (stops.reached(output, generated)) {
            finish = FinishReason.STOP;
        } else if (generated == request.sampling().maxTokens()) {
            finish = FinishReason.LENGTH;
        } else if (length() == context) {
            finish = FinishReason.CONTEXT;
        }
    }

    private void append(int token) {
        if (generated == output.length) {
            output = Arrays.copyOf(output, 2 * generated);
        }
        output[generated++] = token;
        if (request.sampling().repetitionPenalty() != 1) {
            seen.add(token);
        }
    }

    @Override
    boolean done() {
        return finish != null;
    }

    Generation result() {
        return new Generation(Arrays.copyOf(output, generated), stops.text(output, generated), logProbability, finish);
    }
}
