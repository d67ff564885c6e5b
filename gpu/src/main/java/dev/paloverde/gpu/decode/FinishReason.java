package dev.paloverde.gpu.decode;

/** Why a generation ended. */
public enum FinishReason {
    /** An end-of-sequence token or a stop text. */
    STOP,
    /** The most tokens asked for. */
    LENGTH,
    /** The end of the model's context, before the most tokens asked for. */
    CONTEXT
}
