package dev.paloverde.gpu;

/**
 * Why a row or a job failed: few, stable and countable. A row's code stands in its {@code error_code} column; a job's
 * code decides its exit status.
 */
public enum ErrorCode {
    /** The input of the row is null. */
    NULL_INPUT(Scope.ROW),
    /** The input of the row has no characters, or no tokens that can be scored. */
    EMPTY_INPUT(Scope.ROW),
    /** The input of the row is not well-formed UTF-8. */
    INVALID_UTF8(Scope.ROW),
    /** The row needs more tokens than the model's context, or than the key-value cache can ever hold. */
    INPUT_TOO_LONG(Scope.ROW),
    /** The bytes of the row are not an image that can be decoded, or not all of one. */
    INVALID_IMAGE(Scope.ROW),
    /** The row's image claims more pixels, or more frames, than allowed; it was not decoded. */
    IMAGE_TOO_LARGE(Scope.ROW),
    /** A chat template refused the row's messages. */
    TEMPLATE_FAILED(Scope.ROW),
    /** The model produced a value that is not a number for this row. */
    NOT_A_NUMBER(Scope.ROW),
    /** The row was withdrawn before it was done, because its task ended. */
    CANCELLED(Scope.ROW),
    /** A row failed for a reason that is a defect of Paloverde. */
    INTERNAL(Scope.ROW),

    /** An option or configuration key is unknown, or its value is outside its range. */
    INVALID_OPTION(Scope.JOB),
    /** No model directory is there, or a file that every model directory has is missing. */
    MODEL_NOT_FOUND(Scope.JOB),
    /** A model file is damaged, contradicts itself, or claims sizes that it does not have. */
    MODEL_CORRUPT(Scope.JOB),
    /** A tensor that the architecture needs is missing or has another shape. */
    TENSOR_MISSING(Scope.JOB),
    /** The model's architecture, or a feature its configuration asks for, is not one Paloverde runs. */
    UNSUPPORTED_MODEL(Scope.JOB),
    /** The tokenizer produces ids that the model's embedding does not have. */
    TOKENIZER_MISMATCH(Scope.JOB),
    /** The model files of an executor are not the ones that the driver planned with. */
    MODEL_CHANGED(Scope.JOB),
    /** The device asked for is not there. */
    DEVICE_UNAVAILABLE(Scope.JOB),
    /** The model or its key-value cache does not fit in the memory allowed. */
    OUT_OF_MEMORY(Scope.JOB),
    /** The engine stopped for a reason that is no row's own, a device fault or a defect; rows it had are lost with it. */
    ENGINE_FAILED(Scope.JOB),
    /** The input cannot be read, or does not have the columns asked for. */
    INPUT_UNREADABLE(Scope.JOB),
    /** There is something at the output path that is not an earlier run of the same job. */
    OUTPUT_EXISTS(Scope.JOB),
    /** The output path cannot be written. */
    OUTPUT_UNWRITABLE(Scope.JOB);

    /** How much a failure takes down. */
    public enum Scope {
        ROW,
        JOB
    }

    private final Scope scope;

    ErrorCode(Scope scope) {
        this.scope = scope;
    }

    /** {@return whether the failure is one row's own, or one that no row can survive} */
    public Scope scope() {
        return scope;
    }
}
