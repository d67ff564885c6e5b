package dev.paloverde.gpu.decode;

import dev.paloverde.gpu.model.Pooling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** What the hash model gives for a request, computed from the definitions: no cache, no batch, no windows in flight. */
final class Oracle {
    private static final HashModel.ByteTokenizer TOKENIZER = new HashModel.ByteTokenizer();

    private Oracle() {}

    static Generation generate(GenerationRequest request, int context) {
        Sampling sampling = request.sampling();
        Sampler sampler = new Sampler(HashModel.VOCABULARY);
        RowNoise noise = new RowNoise(sampling.seed(), request.key());
        int[] tokens = request.prompt();
        double logProbability = 0;
        FinishReason finish = null;
        while (finish == null) {
            SeenTokens seen = new SeenTokens();
            Arrays.stream(tokens).forEach(seen::add);
            Sampler.Choice choice = sampler.choose(HashModel.logits(tokens), 0, sampling, noise, seen, tokens.length);
            logProbability += choice.logProbability();
            if (choice.token() == HashModel.END && !sampling.ignoreEnd()) {
                finish = FinishReason.STOP;
                break;
            }
            tokens = Arrays.copyOf(tokens, tokens.length + 1);
            tokens[tokens.length - 1] = choice.token();
            String text = TOKENIZER.decode(output(request, tokens));
            if (sampling.stop().stream().anyMatch(text::contains)) {
                finish = FinishReason.STOP;
            } else if (tokens.length - request.prompt().length == sampling.maxTokens()) {
                finish = FinishReason.LENGTH;
            } else if (tokens.length == context) {
                finish = FinishReason.CONTEXT;
            }
        }
        int[] output = output(request, tokens);
        String text = TOKENIZER.decode(output);
        int cut = sampling.stop().stream()
                .mapToInt(text::indexOf)
                .filter(at -> at >= 0)
                .min()
                .orElse(text.length());
        return new Generation(output, text.substring(0, cut), logProbability, finish);
    }

    private static int[] output(GenerationRequest request, int[] tokens) {
        return Arrays.copyOfRange(tokens, request.prompt().length, tokens.length);
    }

    static Scoring score(ScoringRequest request) {
        int[] tokens = request.tokens();
        float[] logProbabilities = new float[tokens.length - 1];
        int greedy = 0;
        int windows = 0;
        int scored = 1;
        for (int begin = 0; scored < tokens.length; begin += request.stride()) {
            windows++;
            int end = Math.min(begin + request.window(), tokens.length);
            for (; scored < end; scored++) {
                float[] logits = HashModel.logits(Arrays.copyOfRange(tokens, begin, scored));
                logProbabilities[scored - 1] = (float) HashModel.logProbability(logits, 0, tokens[scored]);
                greedy += best(logits) == tokens[scored] ? 1 : 0;
            }
        }
        return new Scoring(logProbabilities, greedy, windows);
    }

    private static int best(float[] logits) {
        int best = 0;
        for (int token = 1; token < logits.length; token++) {
            best = logits[token] > logits[best] ? token : best;
        }
        return best;
    }

    static Choices choose(ChoicesRequest request) {
        List<Scoring> choices = new ArrayList<>();
        for (int[] choice : request.choices()) {
            int context = request.context().length;
            int[] tokens = Arrays.copyOf(request.context(), context + choice.length);
            System.arraycopy(choice, 0, tokens, context, choice.length);
            float[] logProbabilities = new float[choice.length];
            int greedy = 0;
            for (int i = 0; i < choice.length; i++) {
                float[] logits = HashModel.logits(Arrays.copyOf(tokens, context + i));
                logProbabilities[i] = (float) HashModel.logProbability(logits, 0, choice[i]);
                greedy += best(logits) == choice[i] ? 1 : 0;
            }
            choices.add(new Scoring(logProbabilities, greedy, 1));
        }
        return new Choices(choices);
    }

    static Embedding embed(EmbeddingRequest request) {
        int[] tokens = request.tokens();
        double[] sum = new double[3];
        int first = request.pooling() == Pooling.LAST ? tokens.length : 1;
        for (int length = first; length <= tokens.length; length++) {
            long hash = HashModel.hash(Arrays.copyOf(tokens, length));
            sum[0] += hash >>> 24;
            sum[1] += hash & 0xFFFFFF;
            sum[2] += 1;
        }
        float[] values = new float[3];
        for (int i = 0; i < 3; i++) {
            values[i] = (float) (sum[i] / (tokens.length - first + 1));
        }
        return new Embedding(values);
    }
}
