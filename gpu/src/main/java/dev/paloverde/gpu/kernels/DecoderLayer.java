package dev.paloverde.gpu.kernels;

/**
 * A layer of a {@link Decoder}. Biases and the norms of heads are null where the family has none.
 *
 * @param attentionNorm [hidden]
 * @param queryKeyValue [(queries + 2 keyValues) * width, hidden]
 * @param queryKeyValueBias [(queries + 2 keyValues) * width]
 * @param headNorms [width] each
 * @param output [hidden, queries * width]
 * @param outputBias [hidden]
 * @param feedForwardNorm [hidden]
 * @param gateUp [2 intermediate, hidden], from {@link Kernels#gatedMatrix(HostTensor, HostTensor)}
 * @param gateUpBias [2 intermediate], from {@link Kernels#gatedWeights}
 * @param down [hidden, intermediate]
 * @param downBias [hidden]
 */
public record DecoderLayer(
        Weights attentionNorm,
        Matrix queryKeyValue,
        Weights queryKeyValueBias,
        HeadNorms headNorms,
        Attention attention,
        Matrix output,
        Weights outputBias,
        Weights feedForwardNorm,
        Matrix gateUp,
        Weights gateUpBias,
        Matrix down,
        Weights downBias) {}
